//! The binary itself: its access log, and its end.

use serde_json::{Value, json};

use crate::real::real;

#[tokio::test]
async fn one_json_line_a_request_with_the_id_that_the_client_saw() {
    let mut real = real(&json!({"routes": gateway::Settings::default().routes}), &[]).await;
    let mut client = real.client().await;
    let evil = "GET /\"quoted\"\\?secret=1 HTTP/1.1\r\nhost: t\r\n\r\n";
    for (request, status, path, method, route) in [
        (
            "GET /api/products/7 HTTP/1.1\r\nhost: t\r\n\r\n",
            503,
            "/api/products/7",
            "GET",
            Some("/api/products/{id}"),
        ),
        (
            "PATCH /api/users HTTP/1.1\r\nhost: t\r\n\r\n",
            405,
            "/api/users",
            "PATCH",
            Some("/api/users"),
        ),
        (evil, 404, "/\"quoted\"\\", "GET", None),
        ("nonsense\r\n\r\n", 400, "/", "_OTHER", None),
    ] {
        let answer = client.say(request).await;
        assert_eq!(answer.status, status, "{request}");
        real.saw(&answer);
        let find = |line: &str| {
            let line: Value = serde_json::from_str(line).ok()?;
            (line["trace_id"] == answer.trace_id() && line["target"] == "access").then_some(line)
        };
        let line = real.process.line("about the request", find).await;
        assert_eq!(line["service"], "gateway");
        assert_eq!(line["http.response.status_code"], status);
        assert_eq!(line["url.path"], path);
        assert_eq!(line["http.request.method"], method);
        assert_eq!(line["http.route"].as_str(), route);
        assert_eq!(line["client.address"], "127.0.0.1");
        assert_eq!(line["error.type"], answer.problem());
        assert_eq!(line["http.response.body.size"], answer.body.len());
        assert!(
            line["duration_us"].is_u64() && line["timestamp"].is_string(),
            "{line}"
        );
    }

    // at the end of its leash it ends in order
    real.ends_unharmed().await;
}
