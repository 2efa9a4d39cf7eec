//! Every case of the W3C's
//! [test harness of Trace Context](https://github.com/w3c/trace-context/blob/main/test/test.py), levels
//! 1 and 2, strictness 2, through a real server layer and a real client. Where the harness allows
//! several outcomes, the table has ours.

use crate::collected;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::routing::{any, post};
use reqwest_middleware::ClientWithMiddleware;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

const TRACE: &str = "12345678901234567890123456789012";
const SPAN: &str = "1234567890123456";

/// What the call's trace has to be.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Trace {
    Kept,
    New,
}
use Trace::{Kept, New};

#[derive(Debug)]
struct Case {
    test: &'static str,
    headers: Vec<(&'static str, String)>,
    calls: usize,
    trace: Trace,
    /// The whole `tracestate` of the call.
    state: Option<String>,
}

fn case(test: &'static str, headers: &[(&'static str, &str)], trace: Trace) -> Case {
    let headers = headers.iter();
    Case {
        test,
        headers: headers
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect(),
        calls: 1,
        trace,
        state: None,
    }
}

/// A `traceparent`.
fn parent(test: &'static str, value: &str, trace: Trace) -> Case {
    case(test, &[("traceparent", value)], trace)
}

/// A good `traceparent` and these `tracestate` headers.
fn state(test: &'static str, lines: &[&str], kept: Option<&str>) -> Case {
    let traceparent = format!("00-{TRACE}-{SPAN}-00");
    let mut headers = vec![("traceparent", traceparent.as_str())];
    headers.extend(lines.iter().map(|line| ("tracestate", *line)));
    Case {
        state: kept.map(str::to_owned),
        ..case(test, &headers, Kept)
    }
}

fn of_traceparent() -> Vec<Case> {
    let good = &*format!("00-{TRACE}-{SPAN}-01");
    let of = |value: &str| good.replacen("00", value, 1);
    let trace = |id: &str| good.replace(TRACE, id);
    let span = |id: &str| good.replace(SPAN, id);
    let flags = |flags: &str| good.replace("-01", &format!("-{flags}"));
    let future = "what-the-future-will-be-like";
    let named = |name| case("traceparent_header_name", &[(name, good)], New);
    let cased = |name| {
        case(
            "traceparent_header_name_valid_casing",
            &[(name, good)],
            Kept,
        )
    };
    let other = trace(&format!("{}1", &TRACE[..31]));
    vec![
        case("both_traceparent_and_tracestate_missing", &[], New),
        parent("traceparent_included_tracestate_missing", good, Kept),
        case(
            "traceparent_duplicated",
            &[("traceparent", &other), ("traceparent", good)],
            New,
        ),
        named("trace-parent"),
        named("trace.parent"),
        cased("TraceParent"),
        cased("TrAcEpArEnT"),
        cased("TRACEPARENT"),
        parent("traceparent_version_0x00", &format!("{good}."), New),
        parent("traceparent_version_0x00", &format!("{good}-{future}"), New),
        parent("traceparent_version_0xcc", &of("cc"), Kept),
        parent(
            "traceparent_version_0xcc",
            &format!("{}-{future}", of("cc")),
            Kept,
        ),
        parent(
            "traceparent_version_0xcc",
            &format!("{}.{future}", of("cc")),
            New,
        ),
        parent("traceparent_version_0xff", &of("ff"), New),
        parent("traceparent_version_illegal_characters", &of(".0"), New),
        parent("traceparent_version_illegal_characters", &of("0."), New),
        parent("traceparent_version_too_long", &of("000"), New),
        parent("traceparent_version_too_long", &of("0000"), New),
        parent("traceparent_version_too_short", &of("0"), New),
        parent(
            "traceparent_trace_id_all_zero",
            &trace(&"0".repeat(32)),
            New,
        ),
        parent(
            "traceparent_trace_id_illegal_characters",
            &trace(&format!(".{}", &TRACE[1..])),
            New,
        ),
        parent(
            "traceparent_trace_id_illegal_characters",
            &trace(&format!("{}.", &TRACE[..31])),
            New,
        ),
        parent(
            "traceparent_trace_id_too_long",
            &trace(&format!("{TRACE}3")),
            New,
        ),
        parent("traceparent_trace_id_too_short", &trace(&TRACE[..31]), New),
        parent(
            "traceparent_parent_id_all_zero",
            &span(&"0".repeat(16)),
            New,
        ),
        parent(
            "traceparent_parent_id_illegal_characters",
            &format!("00-{TRACE}-.{}-01", &SPAN[1..]),
            New,
        ),
        parent(
            "traceparent_parent_id_illegal_characters",
            &format!("00-{TRACE}-{}.-01", &SPAN[..15]),
            New,
        ),
        parent(
            "traceparent_parent_id_too_long",
            &format!("00-{TRACE}-{SPAN}7-01"),
            New,
        ),
        parent(
            "traceparent_parent_id_too_short",
            &format!("00-{TRACE}-{}-01", &SPAN[..15]),
            New,
        ),
        parent(
            "traceparent_trace_flags_illegal_characters",
            &flags(".0"),
            New,
        ),
        parent(
            "traceparent_trace_flags_illegal_characters",
            &flags("0."),
            New,
        ),
        parent("traceparent_trace_flags_too_long", &flags("001"), New),
        parent("traceparent_trace_flags_too_short", &flags("1"), New),
        parent("traceparent_ows_handling", &format!(" {good}"), Kept),
        parent("traceparent_ows_handling", &format!("\t{good}"), Kept),
        parent("traceparent_ows_handling", &format!("{good} "), Kept),
        parent("traceparent_ows_handling", &format!("{good}\t"), Kept),
        parent("traceparent_ows_handling", &format!("\t {good} \t"), Kept),
        case(
            "tracestate_included_traceparent_missing",
            &[("tracestate", "foo=1")],
            New,
        ),
        case(
            "tracestate_included_traceparent_missing",
            &[("tracestate", "foo=1,bar=2")],
            New,
        ),
    ]
}

fn of_tracestate() -> Vec<Case> {
    let traceparent = &*format!("00-{TRACE}-{SPAN}-00");
    let named = |test, name, kept: Option<&str>| Case {
        state: kept.map(str::to_owned),
        ..case(test, &[("traceparent", traceparent), (name, "foo=1")], Kept)
    };
    let cased = |name| named("tracestate_header_name_valid_casing", name, Some("foo=1"));
    let simple = "abcdefghijklmnopqrstuvwxyz0123456789_-*/";
    let value: String = (' '..='~').filter(|c| !matches!(c, ',' | '=')).collect();
    let whole = |line: &str| state("tracestate_all_allowed_characters", &[line], Some(line));
    let members = |range: std::ops::RangeInclusive<u32>| {
        let members: Vec<_> = range.map(|i| format!("bar{i:02}={i:02}")).collect();
        members.join(",")
    };
    let lines = [members(1..=10), members(11..=20), members(21..=30)];
    let with = |last: &str, kept: Option<&str>| {
        let lines = [&lines[0], &lines[1], &lines[2], last];
        state("tracestate_member_count_limit", &lines, kept)
    };
    let spaced = |line| state("tracestate_ows_handling", &[line], Some("foo=1"));
    let key = |key: &str| {
        let (line, kept) = (format!("{key}=1"), format!("foo=1,{key}=1"));
        let kept = (key.len() <= 256).then_some(&*kept);
        state("tracestate_key_length_limit", &["foo=1", &line], kept)
    };
    let twice = |lines: &[&str]| state("tracestate_duplicated_keys", lines, Some("foo=1"));
    vec![
        state(
            "tracestate_included_traceparent_included",
            &["foo=1,bar=2"],
            Some("foo=1,bar=2"),
        ),
        named("tracestate_header_name", "trace-state", None),
        named("tracestate_header_name", "trace.state", None),
        cased("TraceState"),
        cased("TrAcEsTaTe"),
        cased("TRACESTATE"),
        state("tracestate_empty_header", &[""], None),
        state("tracestate_empty_header", &["foo=1", ""], Some("foo=1")),
        state("tracestate_empty_header", &["", "foo=1"], Some("foo=1")),
        state(
            "tracestate_multiple_headers_different_keys",
            &["foo=1,bar=2", "rojo=1,congo=2", "baz=3"],
            Some("foo=1,bar=2,rojo=1,congo=2,baz=3"),
        ),
        twice(&["foo=1,foo=1"]),
        twice(&["foo=1,foo=2"]),
        twice(&["foo=1", "foo=1"]),
        twice(&["foo=1", "foo=2"]),
        whole(&format!("{simple}={value}")),
        whole(&format!("{simple}@a-z0-9_-*/={value}")),
        state(
            "tracestate_ows_handling",
            &["foo=1 \t , \t bar=2, \t baz=3"],
            Some("foo=1,bar=2,baz=3"),
        ),
        state(
            "tracestate_ows_handling",
            &["foo=1\t \t,\t \tbar=2,\t \tbaz=3"],
            Some("foo=1,bar=2,baz=3"),
        ),
        spaced(" foo=1"),
        spaced("\tfoo=1"),
        spaced("foo=1 "),
        spaced("foo=1\t"),
        spaced("\t foo=1 \t"),
        state("tracestate_key_illegal_characters", &["foo =1"], None),
        state("tracestate_key_illegal_characters", &["FOO=1"], None),
        state("tracestate_key_illegal_characters", &["foo.bar=1"], None),
        state(
            "tracestate_key_illegal_vendor_format",
            &["foo@=1,bar=2"],
            Some("foo@=1,bar=2"),
        ),
        state(
            "tracestate_key_illegal_vendor_format",
            &["@foo=1,bar=2"],
            None,
        ),
        state(
            "tracestate_key_illegal_vendor_format",
            &["foo@@bar=1,bar=2"],
            Some("foo@@bar=1,bar=2"),
        ),
        state(
            "tracestate_key_illegal_vendor_format",
            &["foo@bar@baz=1,bar=2"],
            Some("foo@bar@baz=1,bar=2"),
        ),
        with(&members(31..=32), Some(&members(1..=32))),
        with(&members(31..=33), None),
        key(&"z".repeat(256)),
        key(&"z".repeat(257)),
        key(&format!("{}@{}", "t".repeat(241), "v".repeat(14))),
        key(&format!("{}@v", "t".repeat(242))),
        key(&format!("t@{}", "v".repeat(15))),
        state(
            "tracestate_value_illegal_characters",
            &["foo=bar=baz"],
            None,
        ),
        state("tracestate_value_illegal_characters", &["foo=,bar=3"], None),
    ]
}

fn of_several_calls() -> Vec<Case> {
    let good = format!("00-{TRACE}-{SPAN}-01");
    let zero = good.replace(TRACE, &"0".repeat(32));
    let three = |case| Case { calls: 3, ..case };
    vec![
        three(parent(
            "multiple_requests_with_valid_traceparent",
            &good,
            Kept,
        )),
        three(case("multiple_requests_without_traceparent", &[], New)),
        three(parent(
            "multiple_requests_with_illegal_traceparent",
            &zero,
            New,
        )),
        parent(
            "propagates_random_flag",
            &format!("00-{TRACE}-{SPAN}-02"),
            Kept,
        ),
    ]
}

async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// Writes a request byte by byte as the case has it, and waits for its end.
async fn send(address: SocketAddr, case: &Case) {
    let mut request = format!(
        "POST /{} HTTP/1.1\r\nhost: t\r\nconnection: close\r\n",
        case.calls
    );
    for (name, value) in &case.headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{case:?} {answer}");
}

#[tokio::test]
async fn the_w3c_s_own_cases() {
    let (telemetry, _collector) = collected("service");
    let (sender, mut calls) = mpsc::unbounded_channel();
    let called = any(move |headers: HeaderMap| async move { sender.send(headers).unwrap() });
    let callee = serve(Router::new().route("/", called)).await;
    let call = post(
        move |State(client): State<ClientWithMiddleware>, Path(count): Path<usize>| async move {
            for _ in 0..count {
                client
                    .post(format!("http://{callee}/"))
                    .send()
                    .await
                    .unwrap();
            }
        },
    );
    let app = Router::new()
        .route("/{count}", call)
        .with_state(telemetry.client(reqwest::Client::new()))
        .layer(telemetry.server_layer());
    let address = serve(app).await;

    let cases = [of_traceparent(), of_tracestate(), of_several_calls()];
    let cases: Vec<_> = cases.into_iter().flatten().collect();
    let tests: BTreeSet<_> = cases.iter().map(|case| case.test).collect();
    assert_eq!(tests.len(), 41, "the harness's tests");
    for case in &cases {
        send(address, case).await;
        let mut spans = BTreeSet::from([SPAN.to_owned()]);
        for _ in 0..case.calls {
            let headers = calls.try_recv().unwrap();
            check(case, &headers, &mut spans);
        }
        assert!(calls.try_recv().is_err());
    }
}

fn check(case: &Case, headers: &HeaderMap, spans: &mut BTreeSet<String>) {
    let text = |name: &str| {
        let values: Vec<_> = headers.get_all(name).iter().collect();
        assert!(values.len() <= 1, "{case:?} sends {name} once");
        values
            .first()
            .map(|value| value.to_str().unwrap().to_owned())
    };
    let traceparent = text("traceparent").unwrap();
    let parts: Vec<_> = traceparent.split('-').collect();
    let [version, trace, span, flags] = parts[..] else {
        panic!("{case:?} {traceparent}");
    };
    assert_eq!(
        (version, trace.len(), span.len()),
        ("00", 32, 16),
        "{case:?}"
    );
    assert!(spans.insert(span.to_owned()), "{case:?}: a span of its own");
    match case.trace {
        Kept => assert_eq!(trace, TRACE, "{case:?}"),
        New => {
            let sent = case.headers.iter().any(|(_, value)| value.contains(trace));
            assert!(!sent, "{case:?} {trace}");
            assert_eq!(flags, "03", "{case:?}: recorded, and a random id");
        }
    }
    if case.test == "propagates_random_flag" {
        assert_eq!(flags, "02");
    }
    assert_eq!(text("tracestate"), case.state, "{case:?}");
}
