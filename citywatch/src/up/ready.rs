//! What is printed once all are ready: where to go, and what to try.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::board::{Process, Processes};
use super::stack;
use crate::bank;
use crate::terminal::Paint;

/// The first admin, said once.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct FirstAdmin {
    pub(crate) email: String,
    pub(crate) password: String,
}

/// The one line that `up --json` prints.
#[derive(Debug, Serialize)]
pub(crate) struct Report<'a> {
    pub(crate) event: &'static str,
    pub(crate) seconds: f64,
    pub(crate) addresses: &'a BTreeMap<String, String>,
    pub(crate) processes: &'a Processes,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) first_admin: Option<&'a FirstAdmin>,
}

pub(crate) fn table(
    took: Duration,
    addresses: &BTreeMap<String, String>,
    processes: &Processes,
    first_admin: Option<&FirstAdmin>,
    paint: Paint,
) -> String {
    let address = |name: &str| addresses.get(name).map_or("-", String::as_str);
    let mut out = format!(
        "\n{} in {:.1} s\n\n",
        paint.green("The city is up"),
        took.as_secs_f64()
    );
    let mut row = |name: &str, address: &str, what: &str| {
        let name = paint.bold(&format!("{name:<13}"));
        out.push_str(&format!("  {name} {address:<28} {}\n", paint.dim(what)));
    };
    row("gateway", address("gateway"), "the shop's door");
    row(
        "observatory",
        address("observatory"),
        "every request's trace",
    );
    row(
        "registry",
        address("registry"),
        "who is where; Prometheus: /prometheus/targets",
    );
    row("otlp", address("otlp_http"), "OTLP over HTTP");
    row("", address("otlp_grpc"), "OTLP over gRPC");
    row(bank::NAME, address(bank::NAME), bank::ABOUT);
    for (page, about) in stack::PAGES {
        if let Some(address) = addresses.get(page) {
            row(page, address, about);
        }
    }
    let grounded = |process: &Process| {
        addresses.contains_key(&process.service) || stack::is_part(&process.service)
    };
    for process in processes.values().filter(|process| !grounded(process)) {
        let public = process.public.as_deref().unwrap_or("-");
        row(
            &process.name(),
            &format!("http://{public}"),
            "found through the registry",
        );
    }
    if let Some(admin) = first_admin {
        out.push_str(&format!(
            "\n  first admin   {}  password {}   {}\n",
            admin.email,
            paint.bold(&admin.password),
            paint.yellow("shown this once")
        ));
    }
    let gateway = address("gateway");
    out.push_str(&format!(
        "\n  {}\n    curl -i '{gateway}/api/products?query=coffee'\n    citywatch trace <id from \
         traceresponse>\n    citywatch doctor\n  Ctrl-C stops the city.\n\n",
        paint.bold("try")
    ));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_names_each_address_once() {
        let addresses = BTreeMap::from([
            ("gateway".to_owned(), "http://127.0.0.1:8080".to_owned()),
            ("registry".to_owned(), "http://127.0.0.1:8500".to_owned()),
        ]);
        let users = Process {
            service: "users".into(),
            replica: 1,
            public: Some("127.0.0.1:4000".into()),
            ..Process::default()
        };
        let processes = BTreeMap::from([("users-1".to_owned(), users)]);
        let admin = FirstAdmin {
            email: "admin@example.com".into(),
            password: "secret".into(),
        };
        let text = table(
            Duration::from_millis(1_300),
            &addresses,
            &processes,
            Some(&admin),
            Paint::plain(),
        );
        for expected in [
            "up in 1.3 s",
            "http://127.0.0.1:4000",
            "password secret",
            "curl -i",
        ] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
    }
}
