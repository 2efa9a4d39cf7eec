use serde_json::json;
use telemetry::testing::{Kind, Tree};
use testing::eventually;

use crate::example::Example;

#[tokio::test]
async fn each_request_is_one_tree_whatever_becomes_of_it() {
    let running = testing::start::<Example>(json!({})).await;
    let requests = [
        ("/nested", 200, 3),
        ("/greeting", 200, 1),
        ("/panic", 500, 1),
        ("/items", 400, 1),
        ("/member", 401, 1),
        ("/nothing", 404, 1),
    ];
    for (path, status, _) in requests {
        let response = running.http.get(format!("{}{path}", running.url)).send();
        assert_eq!(response.await.unwrap().status(), status, "{path}");
    }
    let expected: usize = requests.iter().map(|(_, _, spans)| spans).sum();
    let spans = eventually("every span has ended", || async {
        let spans = running.spans().await;
        (spans.len() >= expected).then_some(spans)
    })
    .await;
    assert_eq!(spans.len(), expected);

    let trees = Tree::each(spans);
    assert_eq!(trees.len(), requests.len());
    for (tree, (path, status, spans)) in trees.iter().zip(requests) {
        let root = tree.root();
        assert_eq!(tree.spans().len(), spans, "{path}\n{tree}");
        assert_eq!((root.kind, root.service()), (Kind::Server, "example"));
        assert_eq!(root.text("url.path"), Some(path));
        assert_eq!(
            root.number("http.response.status_code"),
            Some(i64::from(status))
        );
        assert_eq!(root.is_error(), status >= 500, "{tree}");
        let route = (status != 404).then_some(path);
        assert_eq!(root.text("http.route"), route);
    }
    trees[0].assert_shape(
        "example GET /nested
           example think
             example write",
    );
    running.stop().await;
}

#[tokio::test]
async fn the_admin_listener_is_not_traced() {
    let running = testing::start::<Example>(json!({})).await;
    for path in ["/livez", "/readyz", "/metrics", "/openapi.json", "/nothing"] {
        let url = format!("{}{path}", running.admin_url);
        running.http.get(url).send().await.unwrap();
    }
    let greeting = running.http.get(format!("{}/greeting", running.url));
    greeting.send().await.unwrap();
    let spans = eventually("the one span", || async {
        let spans = running.spans().await;
        (!spans.is_empty()).then_some(spans)
    })
    .await;
    Tree::one(spans).assert_shape("example GET /greeting");
}
