//! Addresses that must be known before anything starts: settled once, kept over every restart.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};

use anyhow::{Context, Result, bail};

use crate::bank;
use crate::services::{Entry, Setting};

/// Ports given for "any" come from below the range that the system hands out by itself, so that
/// nobody takes a service's port while the service restarts.
const OURS: std::ops::Range<u16> = 20_000..32_000;

/// The settled listeners of one service: setting and address.
pub(crate) type Listeners = BTreeMap<&'static str, SocketAddr>;

/// Addresses as they are settled, all of them before the first is used.
#[derive(Debug, Default)]
pub(crate) struct Settling {
    /// Held until all are settled, so that no two get the same.
    held: Vec<TcpListener>,
    /// What was asked for, and cannot be had.
    taken: Vec<String>,
}

impl Settling {
    /// The address that `variable` asks for; port 0 is any free port. One that is taken is said by
    /// [`Settling::done`], with all others.
    pub(crate) fn take(&mut self, who: &str, variable: &str, wanted: &str) -> Result<SocketAddr> {
        let address = wanted
            .to_socket_addrs()
            .ok()
            .and_then(|mut addresses| addresses.next())
            .with_context(|| {
                format!("{variable}: `{wanted}` is not an address like 127.0.0.1:8080")
            })?;
        if address.port() == 0 {
            return self.hold(any(address)?);
        }
        match TcpListener::bind(address) {
            Ok(listener) => self.hold(listener),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                self.taken.push(format!(
                    "{address} is taken, and the {who} wants it: stop what listens there, or set \
                     {variable}={}:0 for any free port",
                    address.ip(),
                ));
                Ok(address)
            }
            Err(error) => {
                Err(error).with_context(|| format!("cannot listen on {address} (set {variable})"))
            }
        }
    }

    /// Any free port that only this machine reaches.
    pub(crate) fn free(&mut self) -> Result<SocketAddr> {
        self.hold(any(SocketAddr::from(([127, 0, 0, 1], 0)))?)
    }

    fn hold(&mut self, listener: TcpListener) -> Result<SocketAddr> {
        let address = listener.local_addr().context("a listener's address")?;
        self.held.push(listener);
        Ok(address)
    }

    /// Lets go of all, for those who listen there from now on.
    pub(crate) fn done(self) -> Result<()> {
        if !self.taken.is_empty() {
            bail!("{}", self.taken.join("\n"));
        }
        Ok(())
    }
}

/// Settles every listener of the services that do not move, and the bank's.
pub(crate) fn settle<'a>(
    services: impl Iterator<Item = (&'static Entry, &'a [Setting])>,
    settling: &mut Settling,
) -> Result<BTreeMap<&'static str, Listeners>> {
    let mut settled = BTreeMap::new();
    for (entry, settings) in services {
        let mut listeners = Listeners::new();
        for key in ["listen"].iter().chain(entry.further_listeners) {
            let wanted = wanted(entry, settings, key);
            let address = settling.take(entry.name, &entry.variable(key), &wanted)?;
            listeners.insert(*key, address);
        }
        settled.insert(entry.name, listeners);
    }
    let (variable, default) = bank::LISTEN;
    let wanted = std::env::var(variable).unwrap_or_else(|_| default.to_owned());
    let address = settling.take(bank::NAME, variable, &wanted)?;
    settled.insert(bank::NAME, Listeners::from([("listen", address)]));
    Ok(settled)
}

fn wanted(entry: &Entry, settings: &[Setting], key: &str) -> String {
    settings
        .iter()
        .find(|setting| setting.key.name == key)
        .and_then(|setting| setting.value.as_str())
        .filter(|address| !address.is_empty())
        .unwrap_or(entry.default_listen)
        .to_owned()
}

/// A free port of [`OURS`]; the search starts at random, so that two cities rarely meet.
fn any(address: SocketAddr) -> Result<TcpListener> {
    let size = OURS.end - OURS.start;
    let start = rand::random_range(0..size);
    (0..size)
        .map(|step| OURS.start + (start + step) % size)
        .find_map(|port| TcpListener::bind(SocketAddr::new(address.ip(), port)).ok())
        .with_context(|| format!("no free port on {} in {OURS:?}", address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::find;

    fn gateway_at(address: &str) -> Vec<Setting> {
        let entry = find("gateway").unwrap();
        let mut settings = entry.settings(&app::settings::Sources::default()).unwrap();
        for setting in &mut settings {
            if setting.key.name == "listen" {
                setting.value = address.into();
            }
        }
        settings
    }

    #[test]
    fn port_0_becomes_a_port_that_the_system_does_not_hand_out() {
        let settings = gateway_at("127.0.0.1:0");
        let mut settling = Settling::default();
        let gateway = [(find("gateway").unwrap(), &*settings)];
        let settled = settle(gateway.into_iter(), &mut settling).unwrap();
        settling.done().unwrap();
        assert!(OURS.contains(&settled["gateway"]["listen"].port()));
    }

    #[test]
    fn a_taken_port_is_named_with_the_setting_that_moves_it() {
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let settings = gateway_at(&other.local_addr().unwrap().to_string());
        let mut settling = Settling::default();
        let gateway = [(find("gateway").unwrap(), &*settings)];
        settle(gateway.into_iter(), &mut settling).unwrap();
        let error = settling.done().unwrap_err();
        assert!(
            error
                .to_string()
                .contains("CITYWATCH_GATEWAY__LISTEN=127.0.0.1:0"),
            "{error}"
        );
    }
}
