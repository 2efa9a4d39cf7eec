use super::*;
use crate::http::{ServerRequest, Trust};
use crate::testing::Collector;
use crate::{Service, Telemetry};
use serde_json::Value;
use std::fmt;
use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use tracing::{Dispatch, debug, error, info, warn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::Registry;

#[derive(Clone, Default)]
struct Sink(Arc<(Mutex<Vec<u8>>, Condvar)>);

impl Sink {
    fn text(&self) -> String {
        String::from_utf8(self.0.0.lock().unwrap().clone()).unwrap()
    }

    fn wait_until(&self, done: impl Fn(&str) -> bool) {
        let (text, more) = &*self.0;
        let waiting = |text: &mut Vec<u8>| !done(std::str::from_utf8(text).unwrap());
        let (text, out_of_time) = more
            .wait_timeout_while(text.lock().unwrap(), Duration::from_secs(30), waiting)
            .unwrap();
        assert!(
            !out_of_time.timed_out(),
            "{}",
            String::from_utf8_lossy(&text)
        );
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.0.lock().unwrap().extend_from_slice(bytes);
        self.0.1.notify_all();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What `tracing` remembers of each place in the code is shared by all dispatchers of the process
/// and made anew whenever one comes, goes or changes its filter: here one at a time.
pub(super) static ALONE: Mutex<()> = Mutex::new(());

struct Log {
    sink: Sink,
    lines: LineWriter,
    dispatch: Dispatch,
    _alone: MutexGuard<'static, ()>,
}

impl Log {
    fn new(directives: &str) -> Log {
        Log::of(Form::Json, &settings(directives))
    }

    fn of(form: Form, settings: &Settings) -> Log {
        Log::with(form, settings, |lines| {
            Dispatch::new(Registry::default().with(lines))
        })
    }

    /// The layer that writes lines, in a subscriber made by `subscriber`.
    fn with(
        form: Form,
        settings: &Settings,
        subscriber: impl FnOnce(Box<dyn Layer<Registry> + Send + Sync>) -> Dispatch,
    ) -> Log {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let sink = Sink::default();
        let lines = LineWriter::new(sink.clone(), 1024 * 1024);
        let (layer, _) = layer_to(lines.clone(), form, settings, "city").unwrap();
        Log {
            sink,
            lines,
            dispatch: subscriber(layer.boxed()),
            _alone: alone,
        }
    }

    fn text_of(&self, log: impl FnOnce()) -> String {
        self.sink.0.0.lock().unwrap().clear();
        tracing::dispatcher::with_default(&self.dispatch, log);
        assert!(self.lines.flush(Duration::from_secs(30)));
        self.sink.text()
    }

    fn lines_of(&self, log: impl FnOnce()) -> Vec<Value> {
        let text = self.text_of(log);
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

fn settings(directives: &str) -> Settings {
    Settings {
        log_filter: directives.to_owned(),
        ..Settings::default()
    }
}

fn telemetry(name: &str) -> Telemetry {
    Telemetry::builder(Service::new(name, "1.0.0"))
        .exporter(Collector::new().exporter())
        .without_subscriber()
        .build()
        .unwrap()
}

fn in_request(telemetry: &Telemetry, log: impl FnOnce()) -> crate::SpanContext {
    let headers = ::http::HeaderMap::new();
    let span = telemetry.edge().start(&ServerRequest {
        method: &::http::Method::GET,
        uri: &::http::Uri::from_static("/"),
        version: ::http::Version::HTTP_11,
        headers: &headers,
        peer: None,
        scheme: "http",
        route: None,
        trust: Trust::Parent,
    });
    let scope = span.scope();
    log();
    drop(scope);
    span.context()
}

#[test]
fn fields_keep_their_types() {
    let log = Log::new("info");
    let lines = log.lines_of(|| {
        info!(
            count = 3_u64,
            below = -4_i64,
            share = 0.5,
            broken = f64::NAN,
            huge = u128::MAX,
            yes = true,
            name = "na\"me",
            debug = ?Some("x"),
            display = %format_args!("{}\n", 1),
            "it {}", "happened"
        );
    });
    let line = &lines[0];
    assert_eq!(line["message"], "it happened");
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["service"], "city");
    assert_eq!(line["target"], module_path!());
    assert_eq!(line["count"], 3);
    assert_eq!(line["below"], -4);
    assert_eq!(line["share"], 0.5);
    assert_eq!(line["broken"], "NaN");
    assert_eq!(line["huge"], u128::MAX.to_string());
    assert_eq!(line["yes"], true);
    assert_eq!(line["name"], "na\"me");
    assert_eq!(line["debug"], "Some(\"x\")");
    assert_eq!(line["display"], "1\n");
    assert_eq!(line.get("trace_id"), None);
    let timestamp = line["timestamp"].as_str().unwrap();
    assert!(
        timestamp.len() == 27 && timestamp.ends_with('Z'),
        "{timestamp}"
    );
}

#[test]
fn hostile_strings_stay_inside_their_field() {
    let log = Log::new("info");
    let hostile = "\"}\n{\"level\":\"ERROR\",\"x\":\"\u{0}\u{1b}\u{7f}\u{2028}é🦀\\";
    let lines = log.lines_of(|| {
        warn!(target: "a\"b", field = hostile, "{hostile}");
        warn!(long = %"é".repeat(1 << 20), "long");
    });
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["field"], hostile);
    assert_eq!(lines[0]["message"], hostile);
    assert_eq!(lines[0]["level"], "WARN");
    assert_eq!(lines[0]["target"], "a\"b");
    let long = lines[1]["long"].as_str().unwrap();
    assert!(long.len() < 20_000 && long.ends_with('…'));
}

#[test]
fn fields_cannot_pose_as_the_lines_own_members() {
    let log = Log::new("info");
    let line = &log.text_of(|| info!(level = "FATAL", trace_id = 7, service = "else", "real"));
    for member in ["\"level\":", "\"service\":", "\"message\":"] {
        assert_eq!(line.matches(member).count(), 1, "{line}");
    }
    let line: Value = serde_json::from_str(line).unwrap();
    assert_eq!(
        (&line["level"], &line["service"]),
        (&"INFO".into(), &"city".into())
    );
    assert_eq!(
        (&line["field.level"], &line["field.trace_id"]),
        (&"FATAL".into(), &7.into())
    );
}

#[test]
fn errors_are_written_with_their_causes() {
    #[derive(Debug, thiserror::Error)]
    #[error("order refused")]
    struct Refused(#[source] std::io::Error);
    let log = Log::new("info");
    let refused = Refused(std::io::Error::other("disk on fire"));
    let lines = log.lines_of(|| {
        let refused: &(dyn std::error::Error + 'static) = &refused;
        error!(error = refused, "cannot");
    });
    assert_eq!(lines[0]["error"], "order refused: disk on fire");
}

#[test]
fn each_service_of_the_process_signs_its_own_lines() {
    let log = Log::new("info");
    let (orders, catalog) = (telemetry("orders"), telemetry("catalog"));
    let mut contexts = Vec::new();
    let lines = log.lines_of(|| {
        contexts.push(in_request(&orders, || info!("one")));
        contexts.push(in_request(&catalog, || info!("two")));
        info!("three");
    });
    for (line, (service, context)) in lines
        .iter()
        .zip(["orders", "catalog"].iter().zip(&contexts))
    {
        assert_eq!(line["service"], *service);
        assert_eq!(line["trace_id"], context.trace_id.to_string());
        assert_eq!(line["span_id"], context.span_id.to_string());
    }
    assert_eq!(lines[2]["service"], "city");
    assert_eq!(lines[2].get("trace_id"), None);
}

#[cfg(feature = "opentelemetry-sdk")]
#[test]
fn spans_of_the_opentelemetry_api_put_their_ids_on_lines() {
    use opentelemetry::trace::{TraceContextExt, Tracer, TracerProvider};
    let log = Log::new("info");
    let orders = telemetry("orders");
    let tracer = orders.tracer_provider().tracer("theirs");
    let mut spans = Vec::new();
    let mut within = |message: &str| {
        tracer.in_span("work", |context| {
            spans.push(context.span().span_context().clone());
            info!("{message}");
        });
    };
    let mut request = None;
    let lines = log.lines_of(|| {
        within("outside");
        request = Some(in_request(&orders, || within("inside")));
    });
    for (line, span) in lines.iter().zip(&spans) {
        assert_eq!(line["trace_id"], span.trace_id().to_string());
        assert_eq!(line["span_id"], span.span_id().to_string());
    }
    assert_eq!(lines[1]["trace_id"], request.unwrap().trace_id.to_string());
}

#[test]
fn spans_of_tracing_put_their_ids_on_lines() {
    let log = Log::with(Form::Json, &settings("info"), |lines| {
        Dispatch::new(Registry::default().with(lines).with(crate::layer()))
    });
    let orders = telemetry("orders");
    let mut current = None;
    let mut request = None;
    let lines = log.lines_of(|| {
        request = Some(in_request(&orders, || {
            tracing::info_span!("search").in_scope(|| {
                current = crate::context::current();
                info!("inside");
            });
        }));
    });
    let (current, request) = (current.unwrap(), request.unwrap());
    assert_eq!(lines[0]["trace_id"], request.trace_id.to_string());
    assert_eq!(lines[0]["span_id"], current.span_id.to_string());
    assert_ne!(current.span_id, request.span_id);
}

#[test]
fn a_message_stands_once_and_always() {
    let log = Log::new("info");
    let text = log.text_of(|| {
        info!(message = "field", "real");
        info!(count = 1);
    });
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0].matches("\"message\":").count(), 1, "{text}");
    assert!(
        lines[1].ends_with(",\"count\":1,\"message\":\"\"}"),
        "{text}"
    );
}

#[test]
fn a_question_about_another_event_loses_no_line() {
    let log = Log::new("info");
    let lines = log.lines_of(|| {
        for _ in 0..3 {
            // As database drivers ask before they format a statement.
            assert!(!tracing::enabled!(target: "sqlx", tracing::Level::DEBUG));
            info!("kept");
        }
    });
    assert_eq!(lines.len(), 3);
}

#[test]
fn a_filter_can_follow_spans() {
    let log = Log::new("warn,[search]=debug");
    let lines = log.lines_of(|| {
        debug!("outside");
        tracing::info_span!("search").in_scope(|| debug!("inside"));
        debug!("outside");
    });
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["message"], "inside");
}

#[test]
fn a_value_that_logs_while_it_is_logged_does_no_harm() {
    struct Chatty;
    impl fmt::Debug for Chatty {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            info!("inner");
            f.write_str("chatty")
        }
    }
    let log = Log::new("info");
    let lines = log.lines_of(|| info!(before = 1, value = ?Chatty, after = 2, "outer"));
    let outer = lines
        .iter()
        .find(|line| line["message"] == "outer")
        .unwrap();
    assert_eq!(
        (&outer["before"], &outer["value"]),
        (&1.into(), &"chatty".into())
    );
    assert_eq!(outer["after"], 2);
}

/// What people see of an `INFO` and a `WARN` line of one request, and its trace.
fn seen_on(screen: Screen) -> (Vec<String>, String) {
    let log = Log::of(Form::Human(screen), &settings("info"));
    let orders = telemetry("orders");
    let mut context = None;
    let text = log.text_of(|| {
        context = Some(in_request(&orders, || {
            info!(items = 3, note = "two words", "placed");
            warn!(remaining = 3, "budget\u{7} is low");
        }));
    });
    let lines = text.lines().map(str::to_owned).collect();
    (lines, context.unwrap().trace_id.to_string())
}

/// The line without its time, which is as long as `like`.
fn after_time<'a>(line: &'a str, like: &str) -> &'a str {
    let (time, rest) = line.split_at(like.len());
    let digits = |text: &str| text.replace(|c: char| c.is_ascii_digit(), "0");
    assert_eq!(digits(time), digits(like));
    rest
}

#[test]
fn a_wide_terminal_shows_everything_in_colours() {
    let (lines, trace) = seen_on(Screen {
        colours: true,
        columns: Some(|| 120),
    });
    let (dim, plain, target) = ("\u{1b}[2m", "\u{1b}[0m", module_path!());
    assert_eq!(
        after_time(&lines[1], &format!("{dim}12:10:36.123{plain}")),
        format!(
            " \u{1b}[33m WARN{plain} orders   budget\\u{{7}} is low {dim}remaining={plain}3\
             {dim} {target} trace={trace}{plain}"
        )
    );
}

#[test]
fn a_narrow_terminal_shows_the_whole_trace_only_of_warnings() {
    let (lines, trace) = seen_on(Screen {
        colours: false,
        columns: Some(|| 119),
    });
    let target = module_path!();
    assert_eq!(
        after_time(&lines[0], "12:10:36.123"),
        format!(
            "  INFO orders   placed items=3 note=\"two words\" trace={}",
            &trace[..8]
        )
    );
    let warning = after_time(&lines[1], "12:10:36.123");
    let end = format!(" {target} trace={trace}");
    assert!(warning.ends_with(&end), "{warning}");
}

#[test]
fn a_file_has_the_day_and_the_whole_trace() {
    let (lines, trace) = seen_on(Screen {
        colours: false,
        columns: None,
    });
    let line = after_time(&lines[0], "2026-11-21T12:10:36.000123Z");
    let end = format!(" {} trace={trace}", module_path!());
    assert!(line.ends_with(&end), "{line}");
}

/// A log whose places may write two lines in each window.
fn limited(window: Duration) -> Log {
    let limit = RepeatLimit { lines: 2, window };
    let settings = Settings {
        log_repeats: Some(limit),
        ..settings("info")
    };
    Log::of(Form::Json, &settings)
}

#[test]
fn a_storm_is_cut_short_and_summed_up() {
    let mut log = limited(Duration::from_secs(3600));
    let before = suppressed();
    let lines = log.lines_of(|| {
        for n in 0..10 {
            warn!(n, "the database is away");
            info!(n, "not limited");
        }
        error!("another place");
    });
    assert_eq!(lines.len(), 2 + 10 + 1);
    assert!(suppressed() >= before + 8);
    // The subscriber goes: nothing is left out silently.
    log.dispatch = Dispatch::none();
    let lines = log.lines_of(|| {});
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(
        (&lines[0]["suppressed"], &lines[0]["level"]),
        (&8.into(), &"WARN".into())
    );
    assert_eq!(lines[0]["target"], module_path!());
    assert!(
        lines[0]["code.file.path"]
            .as_str()
            .unwrap()
            .ends_with("tests.rs")
    );
    assert!(lines[0]["code.line.number"].is_u64());
}

#[test]
fn a_summary_follows_when_the_window_ends() {
    const SAID: u64 = 5;
    let log = limited(Duration::from_millis(20));
    tracing::dispatcher::with_default(&log.dispatch, || {
        for _ in 0..SAID {
            warn!("the database is away");
        }
    });
    // A busy machine may spread them over several windows: each line is written or summed up.
    log.sink.wait_until(|text| {
        let lines = text.lines().map(serde_json::from_str::<Value>);
        let lines = lines.map(|line| line.unwrap()["suppressed"].as_u64());
        lines.map(|suppressed| suppressed.unwrap_or(1)).sum::<u64>() == SAID
    });
}

#[test]
fn this_crates_own_lines_have_a_level_of_their_own() {
    let settings = Settings {
        log_level: Some(tracing::level_filters::LevelFilter::ERROR),
        ..settings("debug,telemetry=trace")
    };
    let log = Log::of(Form::Json, &settings);
    let lines = log.lines_of(|| {
        warn!(target: "telemetry::export", "collector is away");
        error!(target: "telemetry::export", "exporter has ended");
        debug!(target: "shop", "sold");
    });
    let messages: Vec<_> = lines.iter().map(|line| &line["message"]).collect();
    assert_eq!(messages, ["exporter has ended", "sold"]);
}
