//! Request, error and duration metrics of HTTP, and the page that shows every metric.
//!
//! Label values are closed sets: methods, routes that the service itself declared, status codes,
//! versions, schemes and error kinds. Nothing here keeps a value that a client chose.

mod accept;
mod active;
mod atomic;
mod exemplar;
mod histogram;
mod http;
mod labels;
#[cfg(test)]
mod model;
mod pipeline;
mod process;
mod registry;
mod series;
mod text;

pub(crate) use self::http::{ClientLabels, HttpClientMetrics, HttpServerMetrics, ServerLabels};

use self::text::{Kind, PageWriter};
use crate::log::LineWriter;

/// A rendered metrics page, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricsPage {
    /// The `Content-Type` of `body`.
    pub content_type: &'static str,
    /// The page.
    pub body: String,
}

/// All metrics of one service.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) server: HttpServerMetrics,
    pub(crate) client: HttpClientMetrics,
    registry: prometheus::Registry,
    /// Labels of `target_info`.
    target: Vec<(String, String)>,
}

impl Metrics {
    /// `resource` describes the service; its attributes become the labels of `target_info`.
    pub(crate) fn new(resource: &[(String, String)]) -> Metrics {
        let label = |(key, value): &(String, String)| (label_name(key), value.clone());
        let mut target: Vec<_> = resource.iter().map(label).collect();
        // Two attributes can become one label; the first is kept.
        target.sort_by(|a, b| a.0.cmp(&b.0));
        target.dedup_by(|later, kept| later.0 == kept.0);
        Metrics {
            server: HttpServerMetrics::new(),
            client: HttpClientMetrics::new(),
            registry: prometheus::Registry::new(),
            target,
        }
    }

    /// Where everything that is not an HTTP duration is registered.
    pub(crate) fn registry(&self) -> &prometheus::Registry {
        &self.registry
    }

    /// The page in the form that `accept` prefers; `counts` become the self-metrics. Of two
    /// families with one name the first stays: a page that says a thing twice is refused
    /// as a whole, and ours come first.
    pub(crate) fn page(&self, accept: Option<&str>, counts: &crate::SpanCounts) -> MetricsPage {
        let format = accept::choose(accept);
        let mut page = PageWriter::new(format);
        if let Some(mut family) = page.family("target", Kind::Info, "Target metadata.") {
            let labels: Vec<_> = self
                .target
                .iter()
                .map(|(n, v)| (n.as_str(), v.as_str()))
                .collect();
            family.sample("_info", &labels, 1_u64);
        }
        self.server.write(&mut page);
        self.client.write(&mut page);
        pipeline::write(&mut page, counts);
        let help = "Log lines lost: standard output was too slow, or refused them.";
        if let Some(mut family) = page.family("citywatch_log_lines_dropped", Kind::Counter, help) {
            family.sample("_total", &[], LineWriter::stdout_dropped());
        }
        process::write(&mut page);
        registry::write(&mut page, &self.registry);
        MetricsPage {
            content_type: format.content_type(),
            body: page.finish(),
        }
    }
}

/// A resource attribute's name as a label: `service.name` becomes `service_name`.
fn label_name(key: &str) -> String {
    let clean = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let name: String = key.chars().map(clean).collect();
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        format!("_{name}")
    } else {
        name
    }
}
