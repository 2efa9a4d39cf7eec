//! Who the client is: the peer of the connection, or whom a trusted peer says it speaks for.

use std::net::{IpAddr, Ipv6Addr};

use http::header::{HeaderMap, HeaderName};

pub(crate) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub(crate) const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
pub(crate) const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// A set of networks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Networks(Vec<(u128, u128)>);

impl Networks {
    /// Reads addresses and networks in CIDR notation.
    ///
    /// # Errors
    /// A sentence naming the one that cannot be read.
    pub(crate) fn parse(texts: &[String]) -> Result<Self, String> {
        let mut networks = Vec::with_capacity(texts.len());
        for text in texts {
            let network = parse_network(text)
                .ok_or_else(|| format!("`{text}` is neither an address nor a network"))?;
            networks.push(network);
        }
        Ok(Self(networks))
    }

    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        let bits = bits(address);
        self.0.iter().any(|(network, mask)| bits & mask == *network)
    }
}

fn parse_network(text: &str) -> Option<(u128, u128)> {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length.parse::<u32>().ok()?)),
        None => (text, None),
    };
    let address: IpAddr = address.trim().parse().ok()?;
    let (all, shift) = if address.is_ipv4() {
        (32, 96)
    } else {
        (128, 0)
    };
    let length = length.unwrap_or(all);
    if length > all {
        return None;
    }
    let mask = match length + shift {
        0 => 0,
        bits => u128::MAX << (128 - bits),
    };
    Some((bits(address) & mask, mask))
}

/// An address as 128 bits; IPv4 in its IPv6-mapped form, so that both ways to write one agree.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().into(),
        IpAddr::V6(address) => address.into(),
    }
}

/// What a rate limit by address counts: an IPv4 address, or an IPv6 /64, which is what one
/// subscriber commonly gets (RFC 6177).
pub(crate) fn rate_key(address: IpAddr) -> u128 {
    let bits = bits(address);
    match Ipv6Addr::from(bits).to_ipv4_mapped() {
        Some(_) => bits,
        None => bits & (u128::MAX << 64),
    }
}

/// The client: the rightmost hop that is not a trusted peer. An untrusted peer is the client
/// itself, whatever it claims; a hop that cannot be read ends the chain.
pub(crate) fn client(peer: IpAddr, headers: &HeaderMap, trusted: &Networks) -> IpAddr {
    let mut client = peer.to_canonical();
    if !trusted.contains(client) {
        return client;
    }
    for value in headers.get_all(&X_FORWARDED_FOR).iter().rev() {
        let Ok(text) = value.to_str() else {
            return client;
        };
        for hop in text.rsplit(',') {
            let Some(address) = parse_hop(hop.trim()) else {
                return client;
            };
            client = address;
            if !trusted.contains(client) {
                return client;
            }
        }
    }
    client
}

/// `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:4711`.
fn parse_hop(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    if let Ok(address) = text.parse::<std::net::SocketAddr>() {
        return Some(address.ip().to_canonical());
    }
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    inner
        .parse::<IpAddr>()
        .ok()
        .map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(texts: &[&str]) -> Networks {
        let texts: Vec<String> = texts.iter().copied().map(str::to_owned).collect();
        Networks::parse(&texts).unwrap()
    }

    #[test]
    fn networks_hold_what_their_prefix_says() {
        let set = networks(&["10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "::1"]);
        for inside in [
            "10.1.2.3",
            "::ffff:10.1.2.3",
            "192.0.2.7",
            "2001:db8:9::1",
            "::1",
        ] {
            assert!(set.contains(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["11.0.0.1", "192.0.2.8", "2001:db9::1", "::2", "127.0.0.1"] {
            assert!(!set.contains(outside.parse().unwrap()), "{outside}");
        }
        assert!(networks(&["0.0.0.0/0"]).contains("203.0.113.9".parse().unwrap()));
        assert!(!networks(&["0.0.0.0/0"]).contains("2001:db8::1".parse().unwrap()));
        assert!(networks(&["::/0"]).contains("2001:db8::1".parse().unwrap()));
        for bad in [
            "",
            "10.0.0.0/33",
            "::/129",
            "localhost",
            "10.0.0.0/x",
            "10.0.0/8",
        ] {
            assert!(Networks::parse(&[bad.to_owned()]).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_client_is_the_rightmost_untrusted_hop() {
        let trusted = networks(&["10.0.0.0/8", "2001:db8:1::/48"]);
        let cases: &[(&str, &[&str], &str)] = &[
            // an untrusted peer may claim what it likes
            ("203.0.113.9", &["1.1.1.1"], "203.0.113.9"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.9"], "203.0.113.9"),
            // what stands left of an untrusted hop was written by it
            ("10.0.0.1", &["6.6.6.6, 203.0.113.9"], "203.0.113.9"),
            (
                "10.0.0.1",
                &["6.6.6.6", "203.0.113.9, 10.0.0.2"],
                "203.0.113.9",
            ),
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            ("10.0.0.1", &["203.0.113.9:4711"], "203.0.113.9"),
            (
                "10.0.0.1",
                &["[2001:db8::1]:4711, 2001:db8:1::5"],
                "2001:db8::1",
            ),
            ("10.0.0.1", &["[2001:db8::1]"], "2001:db8::1"),
            ("::ffff:10.0.0.1", &["::ffff:203.0.113.9"], "203.0.113.9"),
            // what cannot be read ends the chain
            ("10.0.0.1", &["1.1.1.1, unknown, 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", &["", ""], "10.0.0.1"),
        ];
        for (peer, forwarded, wanted) in cases {
            let mut headers = HeaderMap::new();
            for value in *forwarded {
                headers.append(X_FORWARDED_FOR, value.parse().unwrap());
            }
            let found = client(peer.parse().unwrap(), &headers, &trusted);
            assert_eq!(found.to_string(), *wanted, "{peer} {forwarded:?}");
        }
    }

    #[test]
    fn ipv6_is_limited_by_64_and_ipv4_by_address() {
        let key = |text: &str| rate_key(text.parse().unwrap());
        assert_eq!(key("2001:db8::1"), key("2001:db8::ffff:ffff:ffff:ffff"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
        assert_eq!(key("192.0.2.1"), key("::ffff:192.0.2.1"));
    }
}
