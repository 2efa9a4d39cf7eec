use super::*;
use http::HeaderMap;
use std::collections::BTreeMap;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";
const DEBUG: u8 = TraceFlags::SAMPLED.0 | TraceFlags::DEBUG.0;
const DEFERRED: u8 = TraceFlags::DEFERRED.0;

fn listed(list: &str) -> Propagators {
    let names = list.split(',').filter(|name| !name.is_empty());
    let named = |name| {
        Propagator::ALL
            .into_iter()
            .find(|known| known.name() == name)
    };
    names.map(|name| named(name).unwrap()).collect()
}

fn carrier(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let pairs = pairs.iter();
    pairs
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (key, value) in pairs {
        let name = http::HeaderName::try_from(*key).unwrap();
        headers.append(name, value.parse().unwrap());
    }
    headers
}

/// The same from HTTP headers and from event attributes.
fn extracted(list: &str, pairs: &[(&str, &str)]) -> (Option<SpanContext>, Baggage) {
    let propagators = listed(list);
    let (context, baggage) = propagators.extract(&headers(pairs));
    let (other, other_baggage) = propagators.extract(&carrier(pairs));
    assert_eq!(baggage, other_baggage);
    match (&context, other) {
        // A trace that begins has another id each time.
        (Some(context), Some(other)) if !context.is_valid() => {
            assert_eq!(context.flags, other.flags);
        }
        (context, other) => assert_eq!(*context, other),
    }
    (context, baggage)
}

fn ids(context: Option<SpanContext>) -> Option<(String, String, u8)> {
    let context = context?;
    Some((
        context.trace_id.to_string(),
        context.span_id.to_string(),
        context.flags.0,
    ))
}

fn injected(list: &str, context: &SpanContext, baggage: &str) -> BTreeMap<String, String> {
    let propagators = listed(list);
    let baggage = Baggage::parse(baggage);
    let (mut map, mut headers) = (BTreeMap::new(), HeaderMap::new());
    propagators.inject(context, &baggage, &mut map);
    propagators.inject(context, &baggage, &mut headers);
    let sent = headers.iter();
    let sent = sent.map(|(key, value)| (key.to_string(), value.to_str().unwrap().to_owned()));
    assert_eq!(map, sent.collect());
    map
}

fn sample(flags: u8) -> SpanContext {
    context(
        0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c,
        0xb7ad_6b71_6920_3331,
        TraceFlags(flags),
    )
    .unwrap()
}

#[test]
fn they_have_an_order_and_no_repetitions() {
    let parsed = listed("b3,baggage,b3,tracecontext");
    assert_eq!(format!("{parsed:?}"), "[B3, Baggage, TraceContext]");
    assert_eq!(Propagators::from_iter(Propagator::ALL).iter().count(), 7);
    assert_eq!(listed("tracecontext,baggage"), Propagators::default());
    assert_ne!(listed("baggage,tracecontext"), Propagators::default());
    assert_eq!(listed(""), Propagators::NONE);
    assert!(Propagators::W3C.contains(Propagator::Baggage));
    assert!(!Propagators::W3C.contains(Propagator::B3));
}

#[test]
fn b3_in_one_header() {
    let short = "eb211c80319c0000";
    let padded = format!("{}{short}", "0".repeat(16));
    for (value, trace, flags) in [
        (format!("{TRACE}-{SPAN}"), Some(TRACE), DEFERRED),
        (format!("{TRACE}-{SPAN}-0"), Some(TRACE), 0),
        (format!("{TRACE}-{SPAN}-1"), Some(TRACE), 1),
        (format!("{TRACE}-{SPAN}-d"), Some(TRACE), DEBUG),
        (format!("{TRACE}-{SPAN}-1-{SPAN}"), Some(TRACE), 1),
        (format!("{short}-{SPAN}-1"), Some(padded.as_str()), 1),
        (format!("{TRACE}-{SPAN}-x"), None, 0),
        (format!("{TRACE}-{SPAN}-"), None, 0),
        (format!("{TRACE}-{SPAN}-1-"), None, 0),
        (format!("{TRACE}-{SPAN}-1-{SPAN}-1"), None, 0),
        (format!("{TRACE}-{}", &SPAN[1..]), None, 0),
        (format!("{}-{SPAN}-1", &TRACE[1..]), None, 0),
        (format!("{}-{SPAN}-1", "0".repeat(32)), None, 0),
        (format!("{TRACE}-{}-1", "0".repeat(16)), None, 0),
        (TRACE.to_owned(), None, 0),
        (String::new(), None, 0),
    ] {
        let expected = trace.map(|trace| (trace.to_owned(), SPAN.to_owned(), flags));
        for list in ["b3", "b3multi"] {
            let (context, _) = extracted(list, &[("b3", &value)]);
            assert_eq!(ids(context), expected, "{value}");
        }
    }
    for (flags, sent) in [(0, '0'), (1, '1'), (3, '1'), (DEBUG, 'd')] {
        let map = injected("b3", &sample(flags), "a=1");
        let value = format!("{TRACE}-{SPAN}-{sent}");
        assert_eq!(map, carrier(&[("b3", &value)]));
    }
}

#[test]
fn b3_in_several_headers() {
    let ids_only = [("x-b3-traceid", TRACE), ("x-b3-spanid", SPAN)];
    for (more, flags) in [
        (vec![], Some(DEFERRED)),
        (vec![("x-b3-sampled", "1")], Some(1)),
        (vec![("x-b3-sampled", "true")], Some(1)),
        (
            vec![("x-b3-sampled", "0"), ("x-b3-parentspanid", SPAN)],
            Some(0),
        ),
        (vec![("x-b3-sampled", "false")], Some(0)),
        (vec![("x-b3-flags", "1")], Some(DEBUG)),
        (
            vec![("x-b3-sampled", "0"), ("x-b3-flags", "1")],
            Some(DEBUG),
        ),
        (vec![("x-b3-sampled", "1"), ("x-b3-flags", "0")], Some(1)),
        (vec![("x-b3-sampled", "d")], None),
        (vec![("x-b3-sampled", "yes")], None),
    ] {
        let pairs = [ids_only.to_vec(), more].concat();
        let expected = flags.map(|flags| (TRACE.to_owned(), SPAN.to_owned(), flags));
        assert_eq!(ids(extracted("b3multi", &pairs).0), expected, "{pairs:?}");
        assert_eq!(ids(extracted("b3", &pairs).0), expected, "{pairs:?}");
    }
    assert_eq!(extracted("b3", &ids_only[..1]).0, None);
    assert_eq!(extracted("b3", &ids_only[1..]).0, None);
    // The single header goes first if it can be read.
    let both = [
        ids_only.to_vec(),
        vec![("b3", "bad"), ("x-b3-sampled", "1")],
    ]
    .concat();
    assert_eq!(extracted("b3", &both).0.unwrap().flags.0, 1);

    let sent = [("x-b3-sampled", "1"), ids_only[0], ids_only[1]];
    assert_eq!(injected("b3multi", &sample(1), ""), carrier(&sent));
    let sent = [("x-b3-sampled", "0"), ids_only[0], ids_only[1]];
    assert_eq!(injected("b3multi", &sample(0), ""), carrier(&sent));
    let sent = [("x-b3-flags", "1"), ids_only[0], ids_only[1]];
    assert_eq!(injected("b3multi", &sample(DEBUG), ""), carrier(&sent));
}

#[test]
fn a_decision_without_ids_begins_a_trace() {
    let random = TraceFlags::RANDOM.0;
    for (pair, flags) in [
        (("b3", "0"), random),
        (("b3", "1"), random | 1),
        (("b3", "d"), random | DEBUG),
        (("x-b3-sampled", "0"), random),
        (("x-b3-flags", "1"), random | DEBUG),
    ] {
        let context = extracted("b3", &[pair]).0.unwrap();
        assert!(!context.is_valid() && context.trace_id.is_valid());
        assert_eq!(context.flags.0, flags);
    }
    assert_eq!(extracted("b3", &[]).0, None);
}

#[test]
fn jaeger() {
    let full = |flags: u8| Some((TRACE.to_owned(), SPAN.to_owned(), flags));
    let short = Some((format!("{:032x}", 0xabc), format!("{:016x}", 0xde), 1));
    for (value, expected) in [
        (format!("{TRACE}:{SPAN}:0:1"), full(1)),
        (format!("{TRACE}:{SPAN}:{SPAN}:01"), full(1)),
        (format!("{TRACE}:{SPAN}:0:0"), full(0)),
        (format!("{TRACE}:{SPAN}:0:3"), full(DEBUG)),
        (format!("{TRACE}%3A{SPAN}%3A0%3A1"), full(1)),
        ("abc:de:0:9".to_owned(), short),
        (format!("{TRACE}:{SPAN}:0"), None),
        (format!("{TRACE}:{SPAN}:0:1:"), None),
        (format!("{TRACE}:{SPAN}:0:"), None),
        (format!("{TRACE}0:{SPAN}:0:1"), None),
        (format!("{TRACE}:{SPAN}0:0:1"), None),
        (format!("0:{SPAN}:0:1"), None),
        (format!("{TRACE}:0:0:1"), None),
        (format!("{TRACE}:{SPAN}:0:x"), None),
        (String::new(), None),
    ] {
        let (context, _) = extracted("jaeger", &[("uber-trace-id", &value)]);
        assert_eq!(ids(context), expected, "{value}");
    }
    let (context, baggage) = extracted(
        "jaeger",
        &[
            ("jaeger-baggage", "by=hand, a=0"),
            ("uberctx-a", "1+2%2B%C3%A9"),
            ("uberctx-", "x"),
            ("uberctx", "x"),
        ],
    );
    assert_eq!(context, None);
    assert_eq!(baggage, Baggage::parse("by=hand,a=1%202%2B%C3%A9"));
    let value = format!("{TRACE}:{SPAN}:0:03");
    let sent = carrier(&[("uber-trace-id", &value), ("uberctx-a", "1%202%2B%C3%A9")]);
    let map = injected("jaeger", &sample(DEBUG), "a=1%202%2B%C3%A9");
    assert_eq!(map, sent);
    let pairs: Vec<_> = map.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(
        extracted("jaeger", &pairs),
        (Some(sample(DEBUG)), Baggage::parse("a=1%202%2B%C3%A9"))
    );
}

#[test]
fn xray() {
    let root = "Root=1-0af76519-16cd43dd8448eb211c80319c";
    let full = |flags: u8| Some((TRACE.to_owned(), SPAN.to_owned(), flags));
    for (value, expected) in [
        (format!("{root};Parent={SPAN};Sampled=1"), full(1)),
        (format!("{root};Parent={SPAN};Sampled=0"), full(0)),
        (format!("{root};Parent={SPAN};Sampled=?"), full(DEFERRED)),
        (format!("{root};Parent={SPAN}"), full(DEFERRED)),
        (
            format!("Self=1-0-0; Sampled=1; Parent={SPAN} ; {root};Lineage=a:1"),
            full(1),
        ),
        (format!("{root};Sampled=1"), None),
        (format!("Parent={SPAN};Sampled=1"), None),
        (format!("{root};Parent={}", &SPAN[1..]), None),
        (
            format!("{};Parent={SPAN}", root.replace("=1-", "=2-")),
            None,
        ),
        (
            format!("{};Parent={SPAN}", root.replace("-16", "16-")),
            None,
        ),
        (format!("{root}0;Parent={SPAN}"), None),
        (String::new(), None),
    ] {
        let (context, _) = extracted("xray", &[("x-amzn-trace-id", &value)]);
        assert_eq!(ids(context), expected, "{value}");
    }
    let value = format!("{root};Parent={SPAN};Sampled=1");
    assert_eq!(
        injected("xray", &sample(3), "a=1"),
        carrier(&[("x-amzn-trace-id", &value)])
    );
}

#[test]
fn ottrace() {
    let half = &TRACE[16..];
    let padded = format!("{}{half}", "0".repeat(16));
    for (sampled, flags) in [
        (Some("true"), 1),
        (Some("1"), 1),
        (Some("false"), 0),
        (Some("0"), 0),
        (None, DEFERRED),
    ] {
        let mut pairs = vec![
            ("ot-tracer-traceid", half),
            ("ot-tracer-spanid", SPAN),
            ("ot-baggage-a", "1"),
        ];
        pairs.extend(sampled.map(|sampled| ("ot-tracer-sampled", sampled)));
        let (context, baggage) = extracted("ottrace", &pairs);
        assert_eq!(ids(context), Some((padded.clone(), SPAN.to_owned(), flags)));
        assert_eq!(baggage, Baggage::parse("a=1"));
        let (context, baggage) = extracted("ottrace", &pairs[1..]);
        assert_eq!((context, baggage), (None, Baggage::EMPTY));
    }
    let sent = [
        ("ot-tracer-traceid", half),
        ("ot-tracer-spanid", SPAN),
        ("ot-tracer-sampled", "true"),
        ("ot-baggage-a", "1"),
    ];
    assert_eq!(injected("ottrace", &sample(1), "a=1"), carrier(&sent));
}

#[test]
fn the_last_that_is_found_counts_and_what_finds_nothing_erases_nothing() {
    let parent = format!("00-{TRACE}-{SPAN}-01");
    let b3 = format!("{TRACE}-{SPAN}-0");
    let w3c = ("traceparent", parent.as_str());
    let sampled = |list: &str, pairs: &[(&str, &str)]| {
        let context = extracted(list, pairs).0;
        context.map(|context| (context.is_valid(), context.flags.is_sampled()))
    };
    let both = [w3c, ("b3", b3.as_str())];
    assert_eq!(sampled("tracecontext,b3", &both), Some((true, false)));
    assert_eq!(sampled("b3,tracecontext", &both), Some((true, true)));
    assert_eq!(sampled("tracecontext,b3", &[w3c]), Some((true, true)));
    assert_eq!(
        sampled("tracecontext,b3", &[w3c, ("b3", "nonsense")]),
        Some((true, true))
    );
    assert_eq!(
        sampled("tracecontext,b3", &[w3c, ("b3", "0")]),
        Some((true, true)),
        "a decision alone is no parent"
    );
    assert_eq!(
        sampled("b3,tracecontext", &[w3c, ("b3", "0")]),
        Some((true, true))
    );
    assert_eq!(sampled("", &both), None);
    let (_, baggage) = extracted(
        "baggage,jaeger",
        &[("baggage", "a=1,b=1"), ("uberctx-b", "2")],
    );
    assert_eq!(baggage, Baggage::parse("a=1,b=2"));
    let all = "tracecontext,baggage,b3,b3multi,jaeger,xray,ottrace";
    assert_eq!(injected(all, &sample(1), "a=1").len(), 13);
    assert!(injected("", &sample(1), "a=1").is_empty());
    let nothing = SpanContext::default();
    assert!(injected(all, &nothing, "").is_empty());
}

/// No internal flag leaves in a format that does not know it.
#[test]
fn w3c_flags_stay_w3c() {
    for flags in 0..=u8::MAX {
        let map = injected("tracecontext", &sample(flags), "");
        let sent = map["traceparent"].rsplit('-').next().unwrap();
        assert_eq!(sent, format!("{:02x}", flags & 3));
    }
}

#[test]
fn every_header_that_is_written_is_known_to_carry_context() {
    let context = SpanContext {
        trace_id: TraceId(7),
        span_id: SpanId(7),
        flags: TraceFlags(DEBUG),
        tracestate: TraceState::parse("x=y"),
    };
    let baggage = Baggage::EMPTY.with("tier", "gold");
    for propagator in Propagator::ALL {
        let mut headers = HeaderMap::new();
        let one = Propagators::NONE.and(propagator);
        one.inject(&context, &baggage, &mut headers);
        assert!(!headers.is_empty(), "{propagator:?}");
        for name in headers.keys() {
            assert!(carries_context(name.as_str()), "{name}");
        }
    }
    for name in ["jaeger-baggage", "x-b3-sampled", "x-b3-parentspanid"] {
        assert!(carries_context(name), "{name}");
    }
    for name in ["host", "x-request-id", "x-b3", "b3-note", "user-agent"] {
        assert!(!carries_context(name), "{name}");
    }
}
