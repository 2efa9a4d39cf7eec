use std::net::SocketAddr;

use super::Name;

/// A running process of a service, as it describes itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Instance {
    pub(crate) service: Name,
    pub(crate) id: Name,
    pub(crate) address: SocketAddr,
    pub(crate) admin_address: Option<SocketAddr>,
    pub(crate) version: String,
    pub(crate) pid: u32,
}

/// Nobody could use such an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidInstance {
    #[error("an address needs a host that others can connect to, and a port")]
    Address,
    #[error("a version is 1 to 64 printable ASCII characters")]
    Version,
}

impl Instance {
    pub(crate) fn check(&self) -> Result<(), InvalidInstance> {
        let connectable =
            |address: &SocketAddr| !address.ip().is_unspecified() && address.port() != 0;
        if !connectable(&self.address) || !self.admin_address.iter().all(connectable) {
            return Err(InvalidInstance::Address);
        }
        let printable = self.version.bytes().all(|byte| byte.is_ascii_graphic());
        if !printable || !(1..=64).contains(&self.version.len()) {
            return Err(InvalidInstance::Version);
        }
        Ok(())
    }

    /// Two processes cannot listen at the same place: the one that says so last is right.
    pub(crate) fn is_where(&self, other: &Self) -> bool {
        self.address == other.address
            || (self.admin_address.is_some() && self.admin_address == other.admin_address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_can_be_connected_to_and_says_a_sane_version() {
        let good = Instance {
            service: Name::parse("catalog").unwrap(),
            id: Name::parse("a").unwrap(),
            address: ([127, 0, 0, 1], 9000).into(),
            admin_address: None,
            version: "1.2.3-rc.1+build".to_owned(),
            pid: 1,
        };
        assert_eq!(good.check(), Ok(()));
        let nowhere = Instance {
            address: ([0, 0, 0, 0], 9000).into(),
            ..good.clone()
        };
        assert_eq!(nowhere.check(), Err(InvalidInstance::Address));
        let no_port = Instance {
            admin_address: Some(([127, 0, 0, 1], 0).into()),
            ..good.clone()
        };
        assert_eq!(no_port.check(), Err(InvalidInstance::Address));
        for version in ["", "a b", "1\n2", &"1".repeat(65)] {
            let odd = Instance {
                version: version.to_owned(),
                ..good.clone()
            };
            assert_eq!(odd.check(), Err(InvalidInstance::Version), "{version:?}");
        }
    }
}
