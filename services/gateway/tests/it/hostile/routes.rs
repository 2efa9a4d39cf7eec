//! Unknown routes and methods.

use super::{Table, withstands};

#[tokio::test]
async fn unknown_routes_and_methods_are_refused_and_the_connection_goes_on() {
    withstands(table).await;
}

fn table(letter: char) -> Table {
    let ask = |method: &str, path: &str| format!("{method} {path} HTTP/1.1\r\nhost: t\r\n\r\n");
    let get = |path: &str| ask("GET", path);
    let known = |method: &str| ask(method, "/known");
    let long = letter.to_string().repeat(10_000);
    Table::default()
        .stays(
            404,
            "unknown_route",
            [
                ("unknown", get(&format!("/unknown-{letter}"))),
                (
                    "by another method",
                    ask("DELETE", &format!("/unknown-{letter}")),
                ),
                (
                    "by a made-up method",
                    ask(&format!("BREW-{letter}"), "/unknown"),
                ),
                ("deeper than known", get(&format!("/known/{letter}"))),
                ("with a slash at the end", get("/known/")),
                ("in capitals", get("/OPEN")),
                ("double slash", get("//open")),
                ("encoded slash", get("/open%2F..")),
                ("inner path of the registry", get("/v1/instances")),
                ("inner path of every service", get("/metrics")),
                ("root", get("/")),
            ],
        )
        .stays(
            405,
            "method_not_allowed",
            [
                ("wrong", known("DELETE")),
                ("trace", known("TRACE")),
                ("made up", known(&format!("BREW-{letter}"))),
                ("lowercase", known("get")),
                ("long", known(&long)),
            ],
        )
}
