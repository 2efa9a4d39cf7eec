//! The `tracing` layer, span by span: what its fields and events say, where it belongs, and what
//! programs do to spans besides entering and leaving them.

mod moved;
mod placed;
mod said;

use std::sync::{Mutex, MutexGuard, PoisonError};
use telemetry::settings::{Limits, Settings};
use telemetry::testing::{Collector, Span};
use telemetry::{Service, SpanLayer, Telemetry};
use tracing::{Dispatch, dispatcher};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::Registry;

/// A service whose spans come from a subscriber of the test's own.
struct Own {
    telemetry: Telemetry,
    collector: Collector,
    /// What `tracing` remembers of each place in the code is shared by the process's dispatchers.
    _alone: MutexGuard<'static, ()>,
}

impl Own {
    fn new(limits: Limits, ratio: f64) -> Own {
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let collector = Collector::new();
        let ratio = ratio.to_string();
        let mut settings = Settings::from_vars(|name| match name {
            "OTEL_TRACES_SAMPLER" => Some("parentbased_traceidratio".to_owned()),
            "OTEL_TRACES_SAMPLER_ARG" => Some(ratio.clone()),
            _ => None,
        })
        .unwrap();
        settings.limits = limits;
        let telemetry = Telemetry::builder(Service::new("work", "0.0.0"))
            .settings(settings)
            .exporter(collector.exporter())
            .without_subscriber()
            .build()
            .unwrap();
        Own {
            telemetry,
            collector,
            _alone: alone,
        }
    }

    fn within(self, layer: SpanLayer, work: impl FnOnce(&Telemetry)) -> Spans {
        let layer = layer.with_root(&self.telemetry).build();
        let dispatch = Dispatch::new(Registry::default().with(layer));
        dispatcher::with_default(&dispatch, || work(&self.telemetry));
        drop(dispatch);
        Spans(futures_util::FutureExt::now_or_never(self.collector.spans()).unwrap())
    }
}

struct Spans(Vec<Span>);

impl Spans {
    #[track_caller]
    fn named(&self, name: &str) -> &Span {
        let mut named = self.0.iter().filter(|span| span.name == name);
        let span = named.next().expect(name);
        assert!(named.next().is_none(), "several spans {name}");
        span
    }
}

fn recorded(work: impl FnOnce(&Telemetry)) -> Spans {
    Own::new(Limits::default(), 1.0).within(SpanLayer::new(), work)
}
