use crate::samples::{NOON, encoded, span};
use crate::sut::Sut;

/// Reading traces is traced as any call is; receiving them is not, or each export would cause
/// the next.
#[tokio::test]
async fn only_those_who_read_have_a_trace() {
    let sut = Sut::start().await;
    let body = encoded("shop", vec![span(7, 1, 0, "root", NOON, 90)]);
    let sent = sut.post("/v1/traces", body).send().await.unwrap();
    assert_eq!(sent.status(), 200);
    let calls = [
        ("/api/services", 200, "/api/services"),
        ("/api/traces/7", 200, "/api/traces/{id}"),
        ("/api/traces/8", 404, "/api/traces/{id}"),
        (
            "/api/observatory/v1/status",
            200,
            "/api/observatory/v1/status",
        ),
    ];
    for (path, status, route) in calls {
        let request = sut.running.http.get(format!("{}{path}", sut.running.url));
        let traced = sut.running.traced(request).await;
        traced.assert(status, &format!("observatory GET {route}"));
    }
    assert_eq!(sut.running.spans().await.len(), calls.len());
}
