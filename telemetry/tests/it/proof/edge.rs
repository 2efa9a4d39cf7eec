//! Requests that come in and go out, answered or not.

use super::model::{self, Expected, pair};
use super::{Place, Round};
use http::{HeaderMap, StatusCode, Uri};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1 as proto;
use telemetry::http::{ClientRequest, ServerRequest, Trust};

const METHODS: [(&str, &str, &str); 4] = [
    ("GET", "GET", "GET"),
    ("POST", "POST", "POST"),
    ("QUERY", "QUERY", "QUERY"),
    ("BREW", "_OTHER", "HTTP"),
];

impl Round {
    /// A request that comes in, and everything it causes.
    pub(super) fn request(&mut self) {
        let (method, known, in_name) = self.random.pick(&METHODS);
        let query = self.random.maybe(super::Random::next);
        let path = format!("/orders/{}", self.random.next());
        let uri = match query {
            Some(query) => format!("{path}?q={query}&sig={query}"),
            None => path.clone(),
        };
        let (trust, sampled) = (
            self.random.pick(&[Trust::Parent, Trust::Link]),
            self.random.below(4),
        );
        let caller = self.random.maybe(|random| {
            let (trace_id, span_id) = (random.trace_id(), random.span_id());
            (
                trace_id,
                span_id,
                random.pick(&[0_u8, 1, 2, 3]) | u8::from(sampled > 0),
            )
        });
        let state = self.random.maybe(|_| "vendor=1,other=x y");
        let agent = self.random.maybe(|random| random.next().to_string());
        let host = self.random.maybe(|_| ());
        let mut headers = HeaderMap::new();
        if let Some((trace_id, span_id, flags)) = caller {
            let parent = format!("00-{trace_id}-{span_id}-{flags:02x}");
            headers.insert("traceparent", parent.parse().unwrap());
            if let Some(state) = state {
                headers.insert("tracestate", state.parse().unwrap());
            }
        }
        if let Some(agent) = &agent {
            headers.insert("user-agent", agent.parse().unwrap());
        }
        if host.is_some() {
            headers.insert("host", "shop.example:8443".parse().unwrap());
        }
        let mut span = self.telemetry.edge().start(&ServerRequest {
            method: &method.parse().unwrap(),
            uri: &uri.parse::<Uri>().unwrap(),
            version: http::Version::HTTP_2,
            headers: &headers,
            peer: Some(([192, 0, 2, 7], 4711).into()),
            scheme: "https",
            route: Some("/orders/{id}"),
            trust,
        });
        let context = span.context();
        let parent = caller.filter(|_| trust == Trust::Parent);
        match parent {
            Some((trace_id, _, flags)) => {
                assert_eq!((context.trace_id, context.flags.0), (trace_id, flags));
                assert_eq!(context.tracestate.as_str(), state);
            }
            None => assert_eq!(context.flags.0, 3, "sampled, and the id is random"),
        }
        let text = self.random.text();
        // What is left out is counted each time.
        if self.model.limits.attribute_count > 100 {
            span.set_attribute("app.text", "replaced");
        }
        span.set_attribute("app.text", text.clone());
        {
            let _scope = span.scope();
            self.inside(&Place {
                context: context.clone(),
                depth: 4,
            });
        }
        let status = self.random.pick(&[0, 200, 404, 503]);
        let error = self.random.one_in(8).then_some("timeout");
        if status != 0 {
            span.status(StatusCode::from_u16(status).unwrap());
        }
        if let Some(error) = error {
            span.set_error(error);
        }
        drop(span);
        if !context.flags.is_sampled() {
            return;
        }
        let text_of = |text: &str| self.model.text(text);
        let mut expected = model::span(&context, parent.map(|(_, id, _)| (id.0, true)));
        expected.name = format!("{in_name} /orders/{{id}}");
        expected.kind = 2;
        let error = error.map(str::to_owned).or(match status {
            0 => Some("cancelled".to_owned()),
            503 => Some("503".to_owned()),
            _ => None,
        });
        let query = query.map(|query| format!("q={query}&sig=REDACTED"));
        let original = (known == "_OTHER").then_some(method);
        let all = [
            Some(("http.request.method", text_of(known))),
            Some(("http.route", text_of("/orders/{id}"))),
            Some(("url.scheme", text_of("https"))),
            Some(("network.protocol.version", text_of("2"))),
            original.map(|method| ("http.request.method_original", text_of(method))),
            Some(("url.path", text_of(&path))),
            query.map(|query| ("url.query", text_of(&query))),
            agent.map(|agent| ("user_agent.original", text_of(&agent))),
            host.map(|()| ("server.address", text_of("shop.example"))),
            host.map(|()| ("server.port", Any::IntValue(8443))),
            Some(("client.address", text_of("192.0.2.7"))),
            Some(("network.peer.address", text_of("192.0.2.7"))),
            Some(("network.peer.port", Any::IntValue(4711))),
            (status != 0).then(|| ("http.response.status_code", Any::IntValue(status.into()))),
            error.as_ref().map(|error| ("error.type", text_of(error))),
            Some(("app.text", text_of(&text))),
        ];
        expected.attributes = all.into_iter().flatten().map(|(k, v)| pair(k, v)).collect();
        expected.status = error.map(|_| model::error(""));
        if let (Trust::Link, Some((trace_id, span_id, flags))) = (trust, caller) {
            expected.links.push(proto::span::Link {
                trace_id: trace_id.0.to_be_bytes().to_vec(),
                span_id: span_id.0.to_be_bytes().to_vec(),
                trace_state: state.unwrap_or_default().to_owned(),
                flags: model::flags(flags, true),
                ..proto::span::Link::default()
            });
        }
        let limit = self.model.limits.attribute_count as usize;
        self.model.expect(Expected {
            span: expected,
            any_of: Some(limit),
            ..Expected::default()
        });
    }

    /// A request that goes out.
    pub(super) fn client(&mut self, place: &Place) {
        let (method, known, in_name) = self.random.pick(&METHODS);
        let resend_count = self.random.below(3) as u32;
        let span = self.telemetry.edge().client(&ClientRequest {
            method: &method.parse().unwrap(),
            server_address: "stock",
            server_port: 8080,
            uri: &Uri::from_static("/items?sig=1"),
            resend_count,
        });
        let context = span.context();
        let outcome = match self.random.below(5) {
            0 => None,
            1 => Some(Err("timeout")),
            other => Some(Ok(self.random.pick(&[200, 404, 500]) + other as u16 % 2)),
        };
        match outcome {
            None => drop(span),
            Some(outcome) => {
                span.finish(outcome.map(|status| StatusCode::from_u16(status).unwrap()));
            }
        }
        assert_eq!(context.trace_id, place.context.trace_id);
        if !place.context.flags.is_sampled() {
            return;
        }
        let status = outcome.and_then(Result::ok);
        let error = match outcome {
            None => Some("cancelled".to_owned()),
            Some(Err(error)) => Some(error.to_owned()),
            Some(Ok(status)) => (status >= 400).then(|| status.to_string()),
        };
        let text_of = |text: &str| self.model.text(text);
        let mut expected = model::span(&context, Some((place.context.span_id.0, false)));
        expected.name = in_name.to_owned();
        expected.kind = 3;
        let original = (known == "_OTHER").then_some(method);
        let all = [
            Some(("http.request.method", text_of(known))),
            original.map(|method| ("http.request.method_original", text_of(method))),
            Some(("url.full", text_of("http://stock:8080/items?sig=REDACTED"))),
            Some(("server.address", text_of("stock"))),
            Some(("server.port", Any::IntValue(8080))),
            (resend_count > 0).then(|| {
                (
                    "http.request.resend_count",
                    Any::IntValue(resend_count.into()),
                )
            }),
            status.map(|status| ("http.response.status_code", Any::IntValue(status.into()))),
            error.as_ref().map(|error| ("error.type", text_of(error))),
        ];
        expected.attributes = all.into_iter().flatten().map(|(k, v)| pair(k, v)).collect();
        expected.status = error.map(|_| model::error(""));
        self.model.expect(Expected {
            span: expected,
            any_of: Some(self.model.limits.attribute_count as usize),
            ..Expected::default()
        });
    }
}
