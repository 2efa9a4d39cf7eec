use crate::error::Error;

/// RFC 5321 section 4.5.3.1: what a mail server must take at least, and most take at most.
const MAX_LOCAL: usize = 64;
const MAX_ADDRESS: usize = 254;
const MAX_LABEL: usize = 63;

/// An e-mail address, normalised: trimmed and in lowercase, so that one mailbox is one member.
///
/// The form is that of RFC 5321's dot-string with a domain name; quoted local parts, address
/// literals and characters beyond ASCII are refused (a domain may be written in punycode).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Email(String);

impl Email {
    pub(crate) fn parse(given: &str) -> Result<Self, Error> {
        let address = given.trim();
        if address.len() > MAX_ADDRESS {
            return Err(Error::InvalidEmail("is longer than 254 characters"));
        }
        let Some((local, domain)) = address.split_once('@') else {
            return Err(Error::InvalidEmail("lacks an @"));
        };
        if !is_local(local) {
            return Err(Error::InvalidEmail("is malformed before the @"));
        }
        if !is_domain(domain) {
            return Err(Error::InvalidEmail("is malformed after the @"));
        }
        Ok(Self(address.to_ascii_lowercase()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_local(local: &str) -> bool {
    let is_atext =
        |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
    (1..=MAX_LOCAL).contains(&local.len())
        && local
            .split('.')
            .all(|atom| !atom.is_empty() && atom.bytes().all(is_atext))
}

fn is_domain(domain: &str) -> bool {
    let is_label = |label: &str| {
        (1..=MAX_LABEL).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    domain.contains('.') && domain.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_normalised() {
        for (given, kept) in [
            ("mina@example.com", "mina@example.com"),
            ("  Mina.Kim+Shop@Example.COM\n", "mina.kim+shop@example.com"),
            ("o'brien@mail.example.co.kr", "o'brien@mail.example.co.kr"),
            ("a@xn--bj0bj06e.example", "a@xn--bj0bj06e.example"),
        ] {
            assert_eq!(Email::parse(given).unwrap().as_str(), kept);
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let long_local = format!("{}@example.com", "a".repeat(65));
        let long_domain = format!("a@{}.com", "b".repeat(64));
        let long = format!("a@{}com", "example.".repeat(40));
        for given in [
            "",
            "@",
            "a",
            "a@",
            "@example.com",
            "a@b",
            "a@b@example.com",
            "a b@example.com",
            "a@exa mple.com",
            ".a@example.com",
            "a.@example.com",
            "a..b@example.com",
            "a@.example.com",
            "a@example.com.",
            "a@-example.com",
            "a@example-.com",
            "\"a b\"@example.com",
            "a@[127.0.0.1]",
            "민아@example.com",
            "a@예시.한국",
            "a@example.com\0",
            "a\r\nBcc: b@example.com",
            &long_local,
            &long_domain,
            &long,
        ] {
            assert!(Email::parse(given).is_err(), "{given:?}");
        }
    }
}
