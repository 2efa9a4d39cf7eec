//! What all spans of one route have in common, found once.

use super::methods::{Method, Methods};
use super::semconv::{Scheme, Version};
use crate::metrics::{HttpServerMetrics, NameId};
use crate::span::attributes::Attributes;
use crate::span::encode::{self, Kind};
use crate::span::limits::Limits;
use crate::sync::lock;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

/// Routes are declared by the service, so there are few; this only bounds a mistake.
const MAX_ROUTES: usize = PAGES * PAGE;
const PAGES: usize = 256;
const PAGE: usize = 16;
/// Remembered per thread.
const MAX_RECENT: usize = 256;
/// The beginnings of one method: one for each scheme and version.
type Variants = [OnceLock<Box<[u8]>>; Scheme::ALL.len() * Version::ALL.len()];

/// The beginning of the server spans of one route: name, kind, and the attributes from closed sets.
#[derive(Debug)]
pub(crate) struct Head {
    route: Box<str>,
    /// The route as the metrics' label.
    place: NameId,
    methods: Arc<Methods>,
    /// One for each method.
    encoded: Box<[OnceLock<Box<Variants>>]>,
}

/// Which head: small, so that a span under way shares nothing with other threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HeadId(u16);

impl Head {
    /// Attributes that a head has, at most.
    pub(crate) const ATTRIBUTES: u32 = 4;

    fn new(route: &str, place: NameId, methods: &Arc<Methods>) -> Head {
        Head {
            route: route.into(),
            place,
            methods: Arc::clone(methods),
            encoded: (0..methods.len()).map(|_| OnceLock::new()).collect(),
        }
    }

    /// Empty when no route matched.
    #[cfg(test)]
    pub(crate) fn route(&self) -> &str {
        &self.route
    }

    pub(crate) fn place(&self) -> NameId {
        self.place
    }

    /// Name, kind, method, route, scheme and version. `limits` are the service's.
    pub(crate) fn encoded(
        &self,
        method: Method,
        scheme: Scheme,
        version: Version,
        limits: &Limits,
    ) -> &[u8] {
        let variants = self.encoded[usize::from(method.index())].get_or_init(Box::default);
        variants[scheme as usize * Version::ALL.len() + version as usize]
            .get_or_init(|| self.encode(method, scheme, version, limits))
    }

    fn encode(
        &self,
        method: Method,
        scheme: Scheme,
        version: Version,
        limits: &Limits,
    ) -> Box<[u8]> {
        let mut out = Vec::new();
        let name = self.methods.in_span_name(method);
        if self.route.is_empty() {
            encode::name(&mut out, name);
        } else {
            encode::name(&mut out, &format!("{name} {}", self.route));
        }
        encode::kind(&mut out, Kind::Server);
        let mut attributes = Attributes::take();
        let method = &**self.methods.name(method);
        attributes.push(limits, "http.request.method", method);
        attributes.push(limits, "url.scheme", scheme.as_str());
        attributes.push(limits, "network.protocol.version", version.as_str());
        if !self.route.is_empty() {
            attributes.push(limits, "http.route", &*self.route);
        }
        attributes.finish(&mut out);
        out.into()
    }
}

/// The heads of one service, in pages that are never moved: a head is read without a lock.
#[derive(Debug)]
pub(crate) struct Heads {
    /// Finds a thread's memory of this table; never used twice in a process.
    id: u64,
    ids: Mutex<HashMap<Box<str>, HeadId>>,
    pages: [OnceLock<Box<[OnceLock<Head>; PAGE]>>; PAGES],
    methods: Arc<Methods>,
    /// Shared by the routes that there is no room for.
    other: Head,
}

/// A head that this thread has used, found by the address of the router's own string.
struct Recent {
    heads: u64,
    address: usize,
    /// The string at an address may have changed, so it is compared.
    route: Box<str>,
    head: HeadId,
}

thread_local! {
    static RECENT: RefCell<Vec<Recent>> = const { RefCell::new(Vec::new()) };
}

impl Heads {
    pub(crate) fn new(methods: &Arc<Methods>) -> Heads {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Heads {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            ids: Mutex::default(),
            pages: [const { OnceLock::new() }; PAGES],
            other: Head::new("", NameId::NONE, methods),
            methods: Arc::clone(methods),
        }
    }

    /// The head of a route; `metrics` name its series.
    pub(crate) fn find(&self, route: &str, metrics: &HttpServerMetrics) -> HeadId {
        let address = route.as_ptr().addr();
        let found = RECENT.try_with(|recent| {
            let mut recent = recent.borrow_mut();
            let known = recent.iter().find(|recent| {
                recent.address == address && recent.heads == self.id && *recent.route == *route
            });
            match known {
                Some(known) => known.head,
                None => self.remember(&mut recent, route, metrics),
            }
        });
        found.unwrap_or_else(|_| self.intern(route, metrics))
    }

    #[cold]
    fn remember(
        &self,
        recent: &mut Vec<Recent>,
        route: &str,
        metrics: &HttpServerMetrics,
    ) -> HeadId {
        let head = self.intern(route, metrics);
        if recent.len() == MAX_RECENT {
            recent.clear();
        }
        recent.push(Recent {
            heads: self.id,
            address: route.as_ptr().addr(),
            route: route.into(),
            head,
        });
        head
    }

    pub(crate) fn get(&self, id: HeadId) -> &Head {
        let index = usize::from(id.0);
        self.pages
            .get(index / PAGE)
            .and_then(|page| page.get()?[index % PAGE].get())
            .unwrap_or(&self.other)
    }

    fn intern(&self, route: &str, metrics: &HttpServerMetrics) -> HeadId {
        let mut ids = lock(&self.ids);
        if let Some(id) = ids.get(route) {
            return *id;
        }
        let index = ids.len();
        let Some(page) = self.pages.get(index / PAGE).filter(|_| index < MAX_ROUTES) else {
            return HeadId(u16::MAX);
        };
        let page = page.get_or_init(|| Box::new([const { OnceLock::new() }; PAGE]));
        page[index % PAGE].get_or_init(|| Head::new(route, metrics.place(route), &self.methods));
        let id = HeadId(u16::try_from(index).unwrap_or(u16::MAX));
        ids.insert(route.into(), id);
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::options::Options;
    use crate::settings::HistogramAggregation;

    fn heads() -> Heads {
        Heads::new(&Arc::default())
    }

    fn metrics() -> HttpServerMetrics {
        HttpServerMetrics::new(&Options::default(), HistogramAggregation::default())
    }

    #[test]
    fn a_route_has_one_head() {
        let (heads, metrics) = (heads(), metrics());
        let route = "/a/{id}".to_owned();
        let first = heads.find(&route, &metrics);
        assert_eq!(first, heads.find(&route, &metrics));
        assert_eq!(first, heads.find(&route.clone(), &metrics));
        let other = heads.find("/b", &metrics);
        assert_eq!(heads.get(other).route(), "/b");
    }

    #[test]
    fn services_do_not_share_heads() {
        let (one, two) = (heads(), heads());
        let metrics = metrics();
        let route = "/a";
        one.find("/first", &metrics);
        assert_eq!(one.get(one.find(route, &metrics)).route(), route);
        assert_eq!(two.get(two.find(route, &metrics)).route(), route);
        assert_ne!(one.find(route, &metrics), two.find(route, &metrics));
    }

    #[test]
    fn routes_beyond_the_bound_share_one_head_without_a_name() {
        let (heads, metrics) = (heads(), metrics());
        for route in 0..MAX_ROUTES {
            heads.find(&format!("/{route}"), &metrics);
        }
        let beyond = heads.find("/beyond", &metrics);
        assert_eq!(heads.get(beyond).route(), "");
        let last = format!("/{}", MAX_ROUTES - 1);
        assert_eq!(heads.get(heads.find(&last, &metrics)).route(), last);
    }
}
