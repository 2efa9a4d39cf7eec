//! A call from within a caller's trace, and what the service did for it.

use reqwest::{RequestBuilder, StatusCode};
use serde_json::Value;
use telemetry::context::{SpanContext, SpanId, TraceFlags, TraceId, TraceState, traceparent};
use telemetry::testing::{Kind, Tree};

use crate::Running;

/// What a caller's vendor adds to the trace, which every service hands on.
const TRACESTATE: &str = "vendor=caller";

/// How a call was answered, and the spans of that.
pub struct Traced {
    /// Status of the answer.
    pub status: StatusCode,
    /// The answer's JSON; `null` if it is empty.
    pub body: Value,
    /// The service's spans, the root below the caller's.
    pub tree: Tree,
}

impl Running {
    /// Calls the service as part of a sampled trace, and waits until its span has ended. Whatever
    /// it is asked to do, each of its spans hangs on the caller's, none is orphaned, and each
    /// statement to a database is a client's span right below the server's.
    ///
    /// # Panics
    /// One of that does not hold, or there is no answer.
    pub async fn traced(&self, request: RequestBuilder) -> Traced {
        let caller = SpanContext {
            trace_id: TraceId::random(),
            span_id: SpanId::random(),
            flags: TraceFlags::SAMPLED,
            tracestate: TraceState::NONE,
        };
        let response = request
            .header("traceparent", &traceparent(&caller)[..])
            .header("tracestate", TRACESTATE)
            .send()
            .await
            .expect("an answer");
        let status = response.status();
        let body = match &response.bytes().await.expect("a whole answer")[..] {
            [] => Value::Null,
            json => serde_json::from_slice(json).expect("JSON"),
        };
        // The server's span ends after all that it caused, and after the answer's last byte.
        let spans = crate::eventually("the server's span has ended", || async {
            let mut spans = self.spans().await;
            spans.retain(|span| span.trace_id == caller.trace_id);
            let has_ended = spans.iter().any(|span| span.kind == Kind::Server);
            has_ended.then_some(spans)
        })
        .await;
        let tree = Tree::under(caller.span_id, spans);
        assert_eq!(tree.root().kind, Kind::Server, "{tree}");
        for span in tree.spans() {
            assert_eq!(span.trace_state, TRACESTATE, "{}\n{tree}", span.name);
            if span.text("db.system.name").is_some() {
                assert_eq!(span.kind, Kind::Client, "{}\n{tree}", span.name);
                assert_eq!(span.text("db.query.summary"), Some(span.name.as_str()));
                assert_eq!(span.parent_span_id, Some(tree.root().span_id), "{tree}");
            }
        }
        Traced { status, body, tree }
    }
}

impl Traced {
    /// This was the answer's status, and these the spans that it took, none of them
    /// an error, as [`Tree::assert_shape`] wants them.
    ///
    /// # Panics
    /// It was not so.
    #[track_caller]
    pub fn assert(&self, status: u16, shape: &str) -> &Self {
        assert_eq!(self.status, status, "{}\n{}", self.body, self.tree);
        self.tree.assert_shape(shape).assert_no_error();
        self
    }
}
