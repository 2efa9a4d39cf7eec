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
    ids: Mutex<HashMap<Box<str>, HeadId>>,
    pages: [OnceLock<Box<[OnceLock<Head>; PAGE]>>; PAGES],
    methods: Arc<Methods>,
    /// Shared by the routes that there is no room for.
    other: Head,
}

/// The heads that a thread has used, found by the address of the router's own string.
#[derive(Debug, Default)]
pub(crate) struct Recent(RefCell<Vec<Used>>);

#[derive(Debug)]
struct Used {
    address: usize,
    /// The string at an address may have changed, so it is compared.
    route: Box<str>,
    head: HeadId,
}

impl Recent {
    /// The head of a route; `metrics` name its series.
    pub(crate) fn find(&self, route: &str, heads: &Heads, metrics: &HttpServerMetrics) -> HeadId {
        let address = route.as_ptr().addr();
        let mut recent = self.0.borrow_mut();
        let known = recent
            .iter()
            .find(|used| used.address == address && *used.route == *route);
        match known {
            Some(known) => known.head,
            None => remember(&mut recent, route, heads.intern(route, metrics)),
        }
    }
}

#[cold]
fn remember(recent: &mut Vec<Used>, route: &str, head: HeadId) -> HeadId {
    if recent.len() == MAX_RECENT {
        recent.clear();
    }
    recent.push(Used {
        address: route.as_ptr().addr(),
        route: route.into(),
        head,
    });
    head
}

impl Heads {
    pub(crate) fn new(methods: &Arc<Methods>) -> Heads {
        Heads {
            ids: Mutex::default(),
            pages: [const { OnceLock::new() }; PAGES],
            other: Head::new("", NameId::NONE, methods),
            methods: Arc::clone(methods),
        }
    }

    pub(crate) fn get(&self, id: HeadId) -> &Head {
        let index = usize::from(id.0);
        self.pages
            .get(index / PAGE)
            .and_then(|page| page.get()?[index % PAGE].get())
            .unwrap_or(&self.other)
    }

    /// The head of a route; `metrics` name its series.
    #[cold]
    pub(super) fn intern(&self, route: &str, metrics: &HttpServerMetrics) -> HeadId {
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
        let (here, elsewhere) = (Recent::default(), Recent::default());
        let route = "/a/{id}".to_owned();
        let first = here.find(&route, &heads, &metrics);
        assert_eq!(first, here.find(&route, &heads, &metrics));
        assert_eq!(first, here.find(&route.clone(), &heads, &metrics));
        assert_eq!(first, elsewhere.find(&route, &heads, &metrics));
        let other = here.find("/b", &heads, &metrics);
        assert_eq!(heads.get(other).route(), "/b");
    }

    #[test]
    fn another_route_at_the_same_address_has_another_head() {
        let (heads, metrics, recent) = (heads(), metrics(), Recent::default());
        let mut route = "/a".to_owned();
        recent.find(&route, &heads, &metrics);
        route.replace_range(1.., "b");
        let changed = recent.find(&route, &heads, &metrics);
        assert_eq!(heads.get(changed).route(), "/b");
    }

    #[test]
    fn routes_beyond_the_bound_share_one_head_without_a_name() {
        let (heads, metrics) = (heads(), metrics());
        for route in 0..MAX_ROUTES {
            heads.intern(&format!("/{route}"), &metrics);
        }
        let beyond = heads.intern("/beyond", &metrics);
        assert_eq!(heads.get(beyond).route(), "");
        let last = format!("/{}", MAX_ROUTES - 1);
        assert_eq!(heads.get(heads.intern(&last, &metrics)).route(), last);
    }
}
