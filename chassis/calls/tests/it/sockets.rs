use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use calls::CallErrorKind::{self, Answer, Connect, Refused, Reset, Timeout};
use socket2::{Domain, Socket, Type};
use tokio::task::JoinSet;

use crate::caller::{AGAIN, Caller, ONCE, UNLIMITED};
use crate::peer::{Does, Peer};

/// Makes one call that may not be repeated; what its span says is what its error says.
async fn fails(address: SocketAddr) -> (CallErrorKind, bool) {
    let caller = Caller::new(&[address], UNLIMITED);
    let start = Instant::now();
    let call = caller.calls.to(&ONCE).post("/reserve", "/reserve");
    let error = call.json(&1).send().await.unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(8));
    let spans = caller.spans().await;
    assert_eq!(spans.len(), 1);
    // A span ends with the head: what becomes of the body is not its to tell.
    let whole_head = spans[0].number("http.response.status_code").is_some();
    if !whole_head {
        assert_eq!(spans[0].text("error.type"), Some(error.error_type()));
        assert!(spans[0].is_error());
    }
    (error.kind, error.may_have_happened())
}

#[tokio::test]
async fn every_way_to_fail_has_its_name_and_tells_whether_it_may_have_happened() {
    assert_eq!(fails(Peer::nobody().await).await, (Refused, false));
    let mut cases = JoinSet::new();
    for (does, outcome) in [
        (Does::CloseAtOnce, (Reset, true)),
        (Does::Close, (Reset, true)),
        (Does::Reset, (Reset, true)),
        (Does::CloseInHead, (Reset, true)),
        (Does::CloseInBody, (Reset, true)),
        (Does::Hang, (Timeout, true)),
        (Does::HangInBody, (Timeout, true)),
        (Does::Late(Duration::from_secs(9)), (Timeout, true)),
        (Does::Bytes(calls::MAX_ANSWER + 1), (Answer, true)),
        (Does::Endless, (Answer, true)),
        (Does::Nonsense, (Answer, true)),
    ] {
        cases.spawn(async move {
            let peer = Peer::start(does).await;
            assert_eq!(fails(peer.address).await, outcome, "{does:?}");
            assert!(peer.requests().len() <= 1, "{does:?}: it was sent twice");
        });
    }
    cases.join_all().await;
}

/// As when a host is gone, and nobody is left to say so: packets are dropped.
#[tokio::test]
async fn a_connection_that_cannot_be_made_in_time_reached_nobody() {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
    socket.bind(&any.into()).unwrap();
    socket.listen(1).unwrap();
    let listener = TcpListener::from(socket);
    let address = listener.local_addr().unwrap();
    // Its queue is full when a connection is no longer made at once.
    let patience = Duration::from_millis(50);
    let queue: Vec<_> = std::iter::from_fn(|| TcpStream::connect_timeout(&address, patience).ok())
        .take(64)
        .collect();
    assert!(queue.len() < 64);
    let caller = Caller::new(&[address], UNLIMITED);
    let start = Instant::now();
    let error = caller.calls.to(&ONCE).get("/", "/").send().await;
    let error = error.unwrap_err();
    assert_eq!((error.kind, error.may_have_happened()), (Connect, false));
    assert!(
        start.elapsed() < ONCE.deadline,
        "it does not wait to the end"
    );
}

#[tokio::test]
async fn answers_are_whole_and_of_any_status() {
    let peer = Peer::start(Does::Answer(200)).await;
    let caller = Caller::new(&[peer.address], UNLIMITED);
    let client = caller.calls.to(&ONCE);
    for status in [200, 201, 204, 304, 402, 404, 409, 429, 500, 503] {
        peer.does(Does::Answer(status));
        let answer = client.get("/", "/").send().await.unwrap();
        assert_eq!(answer.status, status);
        assert_eq!(answer.problem_code(), None);
    }
    peer.does(Does::Bytes(calls::MAX_ANSWER));
    let answer = client.get("/", "/").send().await.unwrap();
    assert_eq!(answer.body.len(), calls::MAX_ANSWER);
    assert!(answer.json::<serde_json::Value>().is_err());
    peer.does(Does::Problem("out_of_stock"));
    let answer = client.get("/", "/").send().await.unwrap();
    assert_eq!(answer.problem_code().as_deref(), Some("out_of_stock"));
    let body: serde_json::Value = answer.json().unwrap();
    assert_eq!(body["code"], "out_of_stock");
}

#[tokio::test]
async fn a_request_says_who_calls_for_how_long_and_in_which_trace() {
    let peer = Peer::start(Does::Answer(200)).await;
    let caller = Caller::new(&[peer.address], UNLIMITED);
    let call = caller.calls.to(&AGAIN).put("/things/{id}", "/things/7");
    let call = call.query(&[("ids", "a,b"), ("q", "x y&z")]);
    let body = serde_json::json!({"quantity": 2});
    call.json(&body).send().await.unwrap();

    let requests = peer.requests();
    let (head, sent) = requests[0].split_once("\r\n\r\n").unwrap();
    assert_eq!(sent, body.to_string());
    let mut lines = head.lines();
    let first = lines.next().unwrap();
    assert_eq!(first, "PUT /things/7?ids=a%2Cb&q=x+y%26z HTTP/1.1");
    let header = |name: &str| {
        let mut found = head.lines().filter_map(|line| line.split_once(": "));
        found
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    };
    assert_eq!(header("content-type"), Some("application/json"));
    let token = header("authorization").unwrap().strip_prefix("Bearer ");
    let claims = caller.verifier.verify(token.unwrap()).unwrap();
    assert_eq!((&*claims.iss, &*claims.aud), ("orders", "inventory"));
    let told: u64 = header("citywatch-timeout-ms").unwrap().parse().unwrap();
    assert!((1..=2000).contains(&told), "{told}");

    let spans = caller.spans().await;
    let span = &spans[0];
    assert_eq!(span.name, "PUT /things/{id}");
    let traceparent = header("traceparent").unwrap();
    assert!(traceparent.contains(&span.trace_id.to_string()));
    assert!(traceparent.contains(&span.span_id.to_string()));
    assert_eq!(span.text("server.address"), Some("inventory"));
    let port = i64::from(peer.address.port());
    assert_eq!(span.number("server.port"), Some(port));
    assert_eq!(span.text("network.peer.address"), Some("127.0.0.1"));
}

#[tokio::test]
async fn a_call_goes_on_at_another_instance_and_each_attempt_is_a_span() {
    let (dead, ill) = (Peer::nobody().await, Peer::start(Does::Close).await);
    let well = Peer::start(Does::Answer(200)).await;
    let caller = Caller::new(&[dead, ill.address, well.address], UNLIMITED);
    let client = caller.calls.to(&AGAIN);
    for _ in 0..20 {
        let answer = client.get("/", "/").send().await.unwrap();
        assert_eq!(answer.status, 200);
    }
    assert_eq!(well.requests().len(), 20);
    let spans = caller.spans().await;
    let ports = spans.iter().map(|span| {
        let error = span.text("error.type");
        (span.number("server.port").unwrap(), error)
    });
    for (port, error) in ports {
        let expected = if port == i64::from(dead.port()) {
            Some("connection_refused")
        } else if port == i64::from(ill.address.port()) {
            Some("connection_reset")
        } else {
            None
        };
        assert_eq!(error, expected);
    }
}
