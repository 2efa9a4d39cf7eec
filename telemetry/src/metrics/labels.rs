//! Label values as small numbers from closed sets.
//!
//! A series is named by a [`Key`] of eight bytes. Methods, schemes and protocol versions
//! are fixed lists; routes, peers and error types are interned in bounded tables whose
//! last resort is `_OTHER`. Nothing that a client writes can become a new label value.

use std::sync::{Arc, Mutex};

use crate::sync::lock;

/// The value that stands for everything outside a closed set, as the semantic
/// conventions have it for methods and error types.
pub(crate) const OTHER: &str = "_OTHER";

/// `url.scheme`, in the order of the type [`Scheme`](crate::http::semconv::Scheme), as the other list
/// is of its own.
pub(crate) const SCHEMES: [&str; 2] = ["http", "https"];

/// `network.protocol.version`.
pub(crate) const VERSIONS: [&str; 4] = ["1.0", "1.1", "2", "3"];

/// The labels of one series of an HTTP histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    /// The route of a server's series, the peer of a client's.
    pub(crate) place: NameId,
    /// 0 when no response was had.
    pub(crate) status: u16,
    pub(crate) method: u8,
    pub(crate) scheme: u8,
    pub(crate) version: u8,
    pub(crate) error: u8,
}

impl Key {
    /// The series into which everything goes that has no room of its own.
    pub(crate) const OVERFLOW: Self = Self {
        place: NameId::NONE,
        status: u16::MAX,
        method: u8::MAX,
        scheme: u8::MAX,
        version: u8::MAX,
        error: u8::MAX,
    };
}

/// A place in a table of [`Names`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NameId(u16);

impl NameId {
    /// No name at all: an unmatched route, an unknown peer, no error.
    pub(crate) const NONE: Self = Self(0);

    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }

    /// For tables of at most 255 names.
    pub(crate) fn small(self) -> u8 {
        u8::try_from(self.0).unwrap_or(u8::MAX)
    }

    pub(crate) fn from_small(small: u8) -> Self {
        Self(u16::from(small))
    }
}

/// A route (without a port), a peer, or an error type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) text: Arc<str>,
    /// 0 when there is none.
    pub(crate) port: u16,
}

impl Name {
    fn is(&self, text: &str, port: u16) -> bool {
        self.port == port && *self.text == *text
    }
}

/// A bounded, append-only table of names. Place 0 is the absent name; when the table
/// is full, new names share its last place, [`OTHER`].
#[derive(Debug)]
pub(crate) struct Names {
    capacity: usize,
    names: Mutex<Vec<Name>>,
}

impl Names {
    /// Room for `capacity` names beside the absent one.
    pub(crate) fn new(capacity: u16) -> Self {
        Self {
            capacity: usize::from(capacity),
            names: Mutex::default(),
        }
    }

    /// The place of a name, and the table's own copy of it.
    fn intern(&self, text: &str, port: u16) -> (NameId, Name) {
        let mut names = lock(&self.names);
        let at = names
            .iter()
            .position(|known| known.is(text, port))
            .unwrap_or_else(|| {
                if names.len() + 1 < self.capacity {
                    names.push(Name {
                        text: Arc::from(text),
                        port,
                    });
                } else if names.len() < self.capacity {
                    names.push(Name {
                        text: Arc::from(OTHER),
                        port: 0,
                    });
                }
                names.len() - 1
            });
        (NameId(at as u16 + 1), names[at].clone())
    }

    /// All names in the order of their places, the absent one first.
    pub(crate) fn all(&self) -> Vec<Name> {
        let absent = Name {
            text: Arc::from(""),
            port: 0,
        };
        std::iter::once(absent)
            .chain(lock(&self.names).iter().cloned())
            .collect()
    }
}

/// A thread's own memory of a table: most look-ups are one comparison of addresses,
/// confirmed by the bytes, and take no lock.
#[derive(Debug, Default)]
pub(crate) struct NameCache {
    /// With the address in memory at which the name was last seen.
    known: Vec<(usize, NameId, Name)>,
}

impl NameCache {
    /// The place of a name in `names`; an empty one is the absent one.
    pub(crate) fn find(&mut self, names: &Names, text: &str, port: u16) -> NameId {
        if text.is_empty() {
            return NameId::NONE;
        }
        let address = text.as_ptr().addr();
        for (seen_at, id, known) in &self.known {
            if *seen_at == address && known.is(text, port) {
                return *id;
            }
        }
        if let Some((seen_at, id, _)) = self.known.iter_mut().find(|known| known.2.is(text, port)) {
            *seen_at = address;
            return *id;
        }
        let (id, name) = names.intern(text, port);
        // A name beyond the table's room is not remembered: there is no end to them.
        if name.is(text, port) {
            self.known.push((address, id, name));
        }
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::semconv::{Scheme, Version};

    #[test]
    fn the_lists_are_in_the_order_of_their_types() {
        assert_eq!(Scheme::ALL.map(Scheme::as_str), SCHEMES);
        assert_eq!(Version::ALL.map(Version::as_str), VERSIONS);
    }

    #[test]
    fn a_full_table_answers_other_and_stops_growing() {
        let names = Names::new(3);
        let mut cache = NameCache::default();
        let first = cache.find(&names, "/a", 0);
        assert_eq!(cache.find(&names, "/a", 0), first);
        assert_ne!(cache.find(&names, "/a", 80), first);
        for i in 0..1_000 {
            let id = cache.find(&names, &format!("/minted/{i}"), 0);
            assert_eq!(&*names.all()[id.index()].text, OTHER);
        }
        assert_eq!(names.all().len(), 4);
        assert_eq!(cache.known.len(), 2);
        assert_eq!(cache.find(&names, "", 0), NameId::NONE);
    }

    #[test]
    fn the_cache_compares_bytes_and_not_only_addresses() {
        let names = Names::new(10);
        let mut cache = NameCache::default();
        let mut route = String::from("/a");
        let first = cache.find(&names, &route, 0);
        route.replace_range(1.., "b");
        assert_ne!(cache.find(&names, &route, 0), first);
    }
}
