//! What all spans of one route have in common, encoded once.

use super::semconv::Method;
use crate::span::encode::{self, ATTRIBUTE, Kind};
use crate::span::proto;
use crate::sync::lock;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

/// Routes are declared by the service, so there are few; this only bounds a mistake.
const MAX_ROUTES: usize = 4096;
/// Remembered per thread.
const MAX_RECENT: usize = 256;

/// Name, kind, method and route of a server span, encoded per method.
#[derive(Debug)]
pub(crate) struct Head {
    route: Box<str>,
    encoded: [OnceLock<Box<[u8]>>; Method::ALL.len()],
}

impl Head {
    fn new(route: &str) -> Head {
        Head {
            route: route.into(),
            encoded: [const { OnceLock::new() }; Method::ALL.len()],
        }
    }

    /// Empty when no route matched.
    pub(crate) fn route(&self) -> &str {
        &self.route
    }

    pub(crate) fn encoded(&self, method: Method) -> &[u8] {
        self.encoded[method as usize].get_or_init(|| {
            let mut out = Vec::new();
            if self.route.is_empty() {
                encode::name(&mut out, method.in_name());
            } else {
                encode::name(&mut out, &format!("{} {}", method.in_name(), self.route));
            }
            encode::kind(&mut out, Kind::Server);
            proto::attribute(&mut out, ATTRIBUTE, "http.request.method", method.as_str());
            if !self.route.is_empty() {
                proto::attribute(&mut out, ATTRIBUTE, "http.route", &*self.route);
            }
            out.into()
        })
    }
}

/// The heads of one service.
#[derive(Debug, Default)]
pub(crate) struct Heads {
    table: Arc<Mutex<HashMap<Box<str>, Arc<Head>>>>,
}

/// A head that this thread has used, found by the address of the router's own string.
struct Recent {
    table: usize,
    route: (usize, usize),
    head: Arc<Head>,
}

thread_local! {
    static RECENT: RefCell<Vec<Recent>> = const { RefCell::new(Vec::new()) };
}

impl Heads {
    pub(crate) fn get(&self, route: &str) -> Arc<Head> {
        let table = Arc::as_ptr(&self.table).addr();
        let address = (route.as_ptr().addr(), route.len());
        RECENT
            .try_with(|recent| {
                let mut recent = recent.borrow_mut();
                let known = recent.iter().find(|recent| {
                    // The string at an address may have changed, so it is compared.
                    recent.table == table && recent.route == address && recent.head.route() == route
                });
                if let Some(known) = known {
                    return Arc::clone(&known.head);
                }
                let head = self.find(route);
                if recent.len() == MAX_RECENT {
                    recent.clear();
                }
                recent.push(Recent {
                    table,
                    route: address,
                    head: Arc::clone(&head),
                });
                head
            })
            .unwrap_or_else(|_| self.find(route))
    }

    fn find(&self, route: &str) -> Arc<Head> {
        let mut table = lock(&self.table);
        if let Some(head) = table.get(route) {
            return Arc::clone(head);
        }
        let head = Arc::new(Head::new(route));
        if table.len() < MAX_ROUTES {
            table.insert(route.into(), Arc::clone(&head));
        }
        head
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_has_one_head() {
        let heads = Heads::default();
        let route = "/a/{id}".to_owned();
        let first = heads.get(&route);
        assert!(Arc::ptr_eq(&first, &heads.get(&route)));
        assert!(Arc::ptr_eq(&first, &heads.get(&route.clone())));
        assert_eq!(heads.get("/b").route(), "/b");
    }

    #[test]
    fn services_do_not_share_heads() {
        let (one, two) = (Heads::default(), Heads::default());
        assert!(!Arc::ptr_eq(&one.get("/a"), &two.get("/a")));
    }
}
