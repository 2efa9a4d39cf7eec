use calls::{CallErrorKind, Policy};

use crate::caller::{AGAIN, Caller, ONCE};
use crate::peer::{Does, Peer};

#[tokio::test]
async fn a_server_outside_is_told_nothing_of_the_city() {
    let peer = Peer::start(Does::Answer(200)).await;
    let caller = Caller::new(&[], Policy::default());
    let url = format!("http://{}/bank/", peer.address);
    let client = caller.calls.outside(&ONCE, &url);
    client.get("/book", "/book").send().await.unwrap();
    let requests = peer.requests();
    let head = requests[0].to_lowercase();
    assert!(head.starts_with("get /bank/book http/1.1"), "{head}");
    assert!(head.contains(&format!("host: {}", peer.address)), "{head}");
    for header in ["authorization", "citywatch"] {
        assert!(!head.contains(header), "{head}");
    }
    let spans = caller.spans().await;
    assert_eq!(spans[0].text("server.address"), Some("127.0.0.1"));
    let port = i64::from(peer.address.port());
    assert_eq!(spans[0].number("server.port"), Some(port));
}

#[tokio::test]
async fn it_has_a_breaker_and_is_asked_again_only_if_its_edge_allows_it() {
    let peer = Peer::start(Does::Answer(500)).await;
    let caller = Caller::new(&[], Policy::default());
    let url = format!("http://{}", peer.address);
    let once = caller.calls.outside(&ONCE, &url);
    let again = caller.calls.outside(&AGAIN, &url);
    assert_eq!(once.post("/", "/").send().await.unwrap().status, 500);
    assert_eq!(peer.requests().len(), 1);
    assert_eq!(again.get("/", "/").send().await.unwrap().status, 500);
    assert_eq!(peer.requests().len(), 3);
    once.post("/", "/").send().await.unwrap();
    peer.requests();
    let error = once.post("/", "/").send().await.unwrap_err();
    assert_eq!(error.kind, CallErrorKind::CircuitOpen);
    assert!(!error.may_have_happened());
    assert!(peer.requests().is_empty());
}
