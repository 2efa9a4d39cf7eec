//! Where others reach an instance, which is not always where it listens: in a container it listens
//! on every interface, and behind a forwarded port it does not even know its own.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use reqwest::Url;
use serde::{Deserialize, Serialize};
use tokio::net::{UdpSocket, lookup_host};

use crate::endpoint::Endpoint;
use crate::error::RegistryError;

/// What the registry is to hand out for an instance: `host`, `host:port`, or nothing.
///
/// Names are looked up at each registration, so that an address that has changed is heard of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Advertise {
    /// Where it listens; if that is every interface, the one that leads to the registry.
    #[default]
    Listener,
    /// A host that others can reach.
    Host {
        /// A name, or an address without brackets.
        host: String,
        /// In place of the port that it listens on.
        port: Option<u16>,
    },
}

/// The text is neither `host` nor `host:port`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not of the form host or host:port (an IPv6 address with a port in brackets)")]
pub struct InvalidAdvertise;

impl FromStr for Advertise {
    type Err = InvalidAdvertise;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Ok(Self::Listener);
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Self::host(&address.to_string(), None);
        }
        let (host, port) = match text.rsplit_once(':') {
            None => (text, None),
            Some((host, port)) => (host, Some(port.parse().map_err(|_| InvalidAdvertise)?)),
        };
        let address = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        match address {
            Some(address) if address.parse::<Ipv6Addr>().is_ok() => Self::host(address, port),
            Some(_) => Err(InvalidAdvertise),
            None => Self::host(host, port),
        }
    }
}

impl TryFrom<String> for Advertise {
    type Error = InvalidAdvertise;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Advertise> for String {
    fn from(advertise: Advertise) -> Self {
        advertise.to_string()
    }
}

impl fmt::Display for Advertise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listener => Ok(()),
            Self::Host { host, port: None } => f.write_str(host),
            Self::Host {
                host,
                port: Some(port),
            } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Host {
                host,
                port: Some(port),
            } => write!(f, "{host}:{port}"),
        }
    }
}

impl Advertise {
    fn host(host: &str, port: Option<u16>) -> Result<Self, InvalidAdvertise> {
        let address = host.parse::<IpAddr>();
        let sane = match &address {
            Ok(address) => !address.is_unspecified(),
            Err(_) => {
                let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
                !host.is_empty() && host.bytes().all(allowed)
            }
        };
        if !sane || port == Some(0) {
            return Err(InvalidAdvertise);
        }
        Ok(Self::Host {
            host: host.to_owned(),
            port,
        })
    }

    /// The endpoint as others reach it. The admin listener goes by the same host if it listens on
    /// every interface, and else is where it says.
    pub(crate) async fn apply(
        &self,
        endpoint: &Endpoint,
        registry: &str,
    ) -> Result<Endpoint, RegistryError> {
        let everywhere = |address: &SocketAddr| address.ip().is_unspecified();
        let listens_everywhere =
            everywhere(&endpoint.address) || endpoint.admin_address.iter().any(everywhere);
        let mut endpoint = endpoint.clone();
        let ip = match self {
            Self::Listener if !listens_everywhere => return Ok(endpoint),
            Self::Listener => towards(registry, endpoint.address.ip()).await?,
            Self::Host { host, port } => {
                let ip = look_up(host, 0, endpoint.address.ip()).await?.ip();
                endpoint.address = SocketAddr::new(ip, port.unwrap_or(endpoint.address.port()));
                ip
            }
        };
        let addresses = std::iter::once(&mut endpoint.address).chain(&mut endpoint.admin_address);
        for address in addresses.filter(|address| everywhere(address)) {
            address.set_ip(ip);
        }
        Ok(endpoint)
    }
}

/// An address of the host, of the family that the listener has if there is one.
async fn look_up(host: &str, port: u16, listener: IpAddr) -> Result<SocketAddr, RegistryError> {
    let failed = |source| RegistryError::NoAddress {
        host: host.to_owned(),
        source,
    };
    let found: Vec<SocketAddr> = lookup_host((host, port)).await.map_err(failed)?.collect();
    let same = |address: &&SocketAddr| address.is_ipv4() == listener.is_ipv4();
    let best = found.iter().find(same).or(found.first());
    best.copied()
        .ok_or_else(|| failed(io::ErrorKind::NotFound.into()))
}

/// This machine's address on the way to the registry. Nothing is sent: connecting a datagram socket
/// only chooses the route.
async fn towards(registry: &str, listener: IpAddr) -> Result<IpAddr, RegistryError> {
    let url = Url::parse(registry).map_err(|_| RegistryError::InvalidUrl)?;
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        return Err(RegistryError::InvalidUrl);
    };
    let host = host.trim_matches(['[', ']']);
    let registry = look_up(host, port, listener).await?;
    let route = async {
        let any: IpAddr = match registry {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = UdpSocket::bind((any, 0)).await?;
        socket.connect(registry).await?;
        Ok(socket.local_addr()?.ip())
    };
    route.await.map_err(|source| RegistryError::NoAddress {
        host: host.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const REGISTRY: &str = "http://127.0.0.1:8500/";

    fn endpoint(address: &str, admin: &str) -> Endpoint {
        Endpoint {
            instance_id: "a".to_owned(),
            address: address.parse().unwrap(),
            admin_address: Some(admin.parse().unwrap()),
            version: "1".to_owned(),
        }
    }

    async fn advertised(advertise: &str, address: &str, admin: &str) -> (String, String) {
        let advertise: Advertise = advertise.parse().unwrap();
        let endpoint = endpoint(address, admin);
        let seen = advertise.apply(&endpoint, REGISTRY).await.unwrap();
        let admin = seen.admin_address.unwrap().to_string();
        (seen.address.to_string(), admin)
    }

    #[tokio::test]
    async fn what_is_handed_out_can_be_reached_by_others() {
        for (advertise, address, admin, seen, seen_admin) in [
            (
                "",
                "127.0.0.2:80",
                "127.0.0.1:81",
                "127.0.0.2:80",
                "127.0.0.1:81",
            ),
            (
                "",
                "0.0.0.0:80",
                "0.0.0.0:81",
                "127.0.0.1:80",
                "127.0.0.1:81",
            ),
            (
                "",
                "127.0.0.2:80",
                "0.0.0.0:81",
                "127.0.0.2:80",
                "127.0.0.1:81",
            ),
            (
                "10.0.0.7",
                "0.0.0.0:80",
                "0.0.0.0:81",
                "10.0.0.7:80",
                "10.0.0.7:81",
            ),
            (
                "10.0.0.7:443",
                "0.0.0.0:80",
                "127.0.0.1:81",
                "10.0.0.7:443",
                "127.0.0.1:81",
            ),
            (
                "[2001:db8::7]:443",
                "[::]:80",
                "[::]:81",
                "[2001:db8::7]:443",
                "[2001:db8::7]:81",
            ),
            (
                "localhost:443",
                "0.0.0.0:80",
                "0.0.0.0:81",
                "127.0.0.1:443",
                "127.0.0.1:81",
            ),
        ] {
            let told = advertised(advertise, address, admin).await;
            assert_eq!(
                told,
                (seen.into(), seen_admin.into()),
                "{advertise:?} {address}"
            );
        }
    }

    #[tokio::test]
    async fn a_host_that_nobody_knows_is_named() {
        let advertise: Advertise = "nobody.invalid".parse().unwrap();
        let endpoint = endpoint("0.0.0.0:80", "0.0.0.0:81");
        let error = advertise.apply(&endpoint, REGISTRY).await.unwrap_err();
        assert!(error.to_string().contains("nobody.invalid"), "{error}");
        assert!(!error.is_unreachable());
    }

    #[test]
    fn a_setting_is_read_back_as_it_was_written() {
        for text in [
            "",
            "catalog",
            "catalog:80",
            "10.0.0.7",
            "10.0.0.7:80",
            "2001:db8::7",
            "[2001:db8::7]:80",
        ] {
            let advertise: Advertise = text.parse().unwrap();
            assert_eq!(advertise.to_string(), text);
        }
        for text in [
            ":80",
            "catalog:",
            "catalog:0",
            "catalog:many",
            "0.0.0.0",
            "[::]:80",
            "a b",
            "http://catalog",
            "[catalog]:80",
            "[2001:db8::7",
        ] {
            assert_eq!(text.parse::<Advertise>(), Err(InvalidAdvertise), "{text}");
        }
    }
}
