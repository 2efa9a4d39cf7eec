//! Mail by SMTP, in every way in which a mail server takes it and does not.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use testing::{Running, eventually};
use tokio_rustls::TlsAcceptor;

use crate::city::{ADDRESS, City, Shopper, id, is_sent, metric};
use crate::server::{Letter, Mood, Security, Server};

fn by(server: &Server) -> Value {
    json!({ "sender": format!("smtp://{}", server.address) })
}

/// A city whose notifications leave by this server, and somebody who was welcomed so.
async fn open(server: &Server, more: Value) -> (City, Running, Shopper) {
    let city = City::open().await;
    let mut settings = by(server);
    for (key, value) in more.as_object().unwrap() {
        settings[key] = value.clone();
    }
    let service = city.start(&settings).await;
    let shopper = city.member(&service).await;
    let welcome = ("welcome", &*shopper.id);
    city.notification(&service, welcome, is_sent).await;
    (city, service, shopper)
}

/// The letters about an order.
fn about(server: &Server, order: &str) -> Vec<Letter> {
    let mut letters = server.letters();
    letters.retain(|letter| letter.text().contains(order));
    letters
}

fn is_given_up(notification: &Value) -> bool {
    notification["given_up_at"].is_string()
}

#[tokio::test]
async fn a_letter_is_handed_over_in_both_languages() {
    let server = Server::open().await;
    let (city, service, shopper) = open(&server, json!({})).await;
    let (order, event) = city.confirms(&shopper);
    let sent = ("order_confirmed", &*order);
    let sent = city.notification(&service, sent, is_sent).await;

    let letters = server.letters();
    assert_eq!(letters.len(), 2, "a welcome and this");
    let letter = &letters[1];
    assert_eq!(letter.from, "no-reply@citywatch.example");
    assert_eq!(letter.to, ADDRESS);
    assert_eq!(letter.header("To"), ADDRESS);
    let from = letter.header("From");
    assert_eq!(from, "Citywatch <no-reply@citywatch.example>");
    let message_id = format!("<{}@citywatch.example>", sent["id"].as_str().unwrap());
    assert_eq!(letter.header("Message-ID"), message_id);
    assert_eq!(letter.header("Auto-Submitted"), "auto-generated");
    assert_eq!(
        letter.subject(),
        "[Citywatch] 주문이 확정되었습니다 / Your order is confirmed"
    );
    assert_eq!(
        letter.text().trim_end(),
        format!(
            "Mina Kim님, 주문이 확정되었습니다. 결제 금액: 12,900원.\n주문 번호: {order}\n\n\
             Dear Mina Kim, your order is confirmed. Paid: KRW 12,900.\nOrder: {order}"
        )
    );
    assert!(!letter.by_tls && letter.user.is_none());

    let send = eventually("the sending has ended", async || {
        let spans = service.spans().await;
        spans.into_iter().find(|span| {
            span.trace_id == event.sent_by.trace_id && span.name == "send notification"
        })
    })
    .await;
    let port = i64::from(server.address.port());
    assert_eq!(send.number("server.port"), Some(port));
    assert_eq!(send.text("citywatch.notification.sender"), Some("smtp"));
    let shown = format!("{:?}", service.spans().await);
    assert!(!shown.contains(ADDRESS), "{shown}");
}

/// Nobody waits on a line that is not used.
#[tokio::test]
async fn the_line_is_closed_when_there_is_nothing_to_say() {
    let server = Server::open().await;
    let (_city, _service, _shopper) = open(&server, json!({})).await;
    eventually("goodbye", async || {
        (server.heard("QUIT") == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_is_refused_for_now_is_sent_later() {
    let server = Server::open().await;
    let (city, service, shopper) = open(&server, json!({})).await;
    server.will(&[
        Mood::Recipient("451 4.3.2 {} must wait"),
        Mood::Letter("452 4.3.1 no room"),
        Mood::Letter("421 4.3.2 closing"),
    ]);
    let (order, _) = city.confirms(&shopper);
    let confirmed = ("order_confirmed", &*order);
    let sent = city.notification(&service, confirmed, is_sent).await;
    assert_eq!(sent["attempts"], 4, "{sent}");
    assert_eq!(sent["reason"], Value::Null);
    assert_eq!(about(&server, &order).len(), 1);
    assert_eq!(
        metric(&service, "sends_total{outcome=\"put_off\"}").await,
        3.0
    );
    assert_eq!(metric(&service, "sends_total{outcome=\"sent\"}").await, 2.0);
}

#[tokio::test]
async fn what_is_refused_for_good_is_given_up_and_holds_up_nothing() {
    let server = Server::open().await;
    let (city, service, shopper) = open(&server, json!({})).await;
    server.will(&[
        Mood::Recipient("550 5.1.1 <{}>: who is that?"),
        Mood::Letter("554 5.7.1 no such letters"),
    ]);
    let (unknown, _) = city.confirms(&shopper);
    let given_up = ("order_confirmed", &*unknown);
    let given_up = city.notification(&service, given_up, is_given_up).await;
    assert_eq!(given_up["reason"], "smtp_550");
    let (disliked, _) = city.confirms(&shopper);
    let other = ("order_confirmed", &*disliked);
    let other = city.notification(&service, other, is_given_up).await;
    assert_eq!(
        (&other["reason"], &other["attempts"]),
        (&json!("smtp_554"), &json!(1))
    );
    let (taken, _) = city.confirms(&shopper);
    city.notification(&service, ("order_confirmed", &taken), is_sent)
        .await;
    assert!(about(&server, &unknown).is_empty() && about(&server, &disliked).is_empty());
    let outcome = |outcome: &str| format!("sends_total{{outcome=\"{outcome}\"}}");
    assert_eq!(metric(&service, &outcome("given_up")).await, 2.0);
    assert_eq!(metric(&service, &outcome("put_off")).await, 0.0);
    // Its member reads it all the same.
    let own = city.told(&service, &shopper).await;
    let kept = own.iter().find(|one| one["about"] == unknown).unwrap();
    assert_eq!(kept["sent_at"], Value::Null);
}

/// It was taken, and nobody was told so: better twice than not at all.
#[tokio::test]
async fn a_line_that_goes_dead_makes_it_come_twice_under_one_name() {
    let server = Server::open().await;
    let (city, service, shopper) = open(&server, json!({})).await;
    server.will(&[Mood::HangUp]);
    let (order, _) = city.confirms(&shopper);
    let sent = ("order_confirmed", &*order);
    let sent = city.notification(&service, sent, is_sent).await;
    assert_eq!(sent["attempts"], 2);
    let letters = about(&server, &order);
    let names: Vec<_> = letters.iter().map(|one| one.header("Message-ID")).collect();
    assert_eq!(names.len(), 2);
    assert_eq!(names[0], names[1]);
}

#[tokio::test]
async fn a_server_that_says_nothing_is_not_waited_for_any_longer() {
    let server = Server::open().await;
    let patience = json!({ "send_timeout_ms": 300, "lease_ms": 10_000 });
    let (city, service, shopper) = open(&server, patience).await;
    server.will(&[Mood::Silence]);
    let (order, _) = city.confirms(&shopper);
    let sent = ("order_confirmed", &*order);
    let sent = city.notification(&service, sent, is_sent).await;
    // More often on a machine that is too busy to answer in time.
    assert!(sent["attempts"].as_i64() >= Some(2), "{sent}");
    assert!(about(&server, &order).len() >= 2);
}

#[tokio::test]
async fn while_the_server_is_away_all_is_told_and_nothing_is_lost() {
    let server = Server::open().await;
    let (city, service, shopper) = open(&server, json!({})).await;
    let closed = Mood::Closed("421 4.3.2 come back later");
    server.will(&vec![closed; 10_000]);
    let orders: Vec<_> = (0..5).map(|_| city.confirms(&shopper).0).collect();
    eventually("all are told", async || {
        let told = city.told(&service, &shopper).await;
        (told.len() == 6).then_some(())
    })
    .await;
    eventually("it was tried again and again", async || {
        (server.moods_left() < 9_990).then_some(())
    })
    .await;
    eventually("the gauges say so", async || {
        let oldest = metric(&service, "oldest_unsent_seconds").await > 0.0;
        let unsent = (metric(&service, "unsent").await - 5.0).abs() < 0.1;
        (oldest && unsent).then_some(())
    })
    .await;
    // That nobody was there is no notification's fault.
    assert_eq!(
        metric(&service, "sends_total{outcome=\"put_off\"}").await,
        0.0
    );
    server.will(&[]);
    for order in &orders {
        let sent = ("order_confirmed", &**order);
        let sent = city.notification(&service, sent, is_sent).await;
        assert_eq!(sent["attempts"], 1);
        assert_eq!(about(&server, order).len(), 1);
    }
    eventually("the gauges are at rest", async || {
        let rest =
            metric(&service, "unsent").await + metric(&service, "oldest_unsent_seconds").await;
        (rest == 0.0).then_some(())
    })
    .await;
}

/// A password that is wrong is everybody's trouble, not one letter's.
#[tokio::test]
async fn a_password_that_is_refused_gives_up_nothing() {
    let server = Server::open().await;
    let address = server.address;
    let user = json!({ "sender": format!("smtp://city%40mail.example:a%3Ab@{address}") });
    let (city, service, shopper) = open(&server, user).await;
    server.refuses_passwords(true);
    let (order, _) = city.confirms(&shopper);
    let before = server.heard("AUTH");
    eventually("it was tried again", async || {
        (server.heard("AUTH") > before + 2).then_some(())
    })
    .await;
    let confirmed = ("order_confirmed", &*order);
    let waiting = city.notification(&service, confirmed, |_| true).await;
    assert_eq!(waiting["given_up_at"], Value::Null);
    server.refuses_passwords(false);
    city.notification(&service, confirmed, is_sent).await;
    let user = about(&server, &order).remove(0).user.unwrap();
    assert_eq!(user, ("city@mail.example".to_owned(), "a:b".to_owned()));
}

/// The event that says where to write to comes by another way.
#[tokio::test]
async fn what_has_no_address_yet_waits_for_it() {
    let server = Server::open().await;
    let city = City::open().await;
    let mut settings = by(&server);
    // Nobody tries again by themselves as long as the test lasts.
    settings["retry_first_ms"] = json!(3_600_000);
    settings["retry_max_ms"] = json!(3_600_000);
    let service = city.start(&settings).await;
    let shopper = Shopper { id: id() };
    let (order, _) = city.confirms(&shopper);
    let confirmed = ("order_confirmed", &*order);
    let waits = |one: &Value| one["reason"] == "no_address";
    city.notification(&service, confirmed, waits).await;
    assert!(server.letters().is_empty());
    city.registers(&shopper);
    city.notification(&service, confirmed, is_sent).await;
    assert_eq!(about(&server, &order)[0].to, ADDRESS);
}

/// A server with a certificate of its own, and the file of who signed it.
async fn by_tls(security: Security, folder: &Path) -> (Server, PathBuf) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let ca_file = folder.join("ca.pem");
    std::fs::write(&ca_file, params.self_signed(&key).unwrap().pem()).unwrap();
    let issuer = Issuer::new(params, key);
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let chain = vec![CertificateDer::from_pem_slice(certificate.pem().as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    (Server::with(security, Some(acceptor)).await, ca_file)
}

async fn letters_go_by_tls(security: Security, url: impl Fn(u16) -> String) {
    let city = City::open().await;
    let (server, ca_file) = by_tls(security, city.town.folder()).await;
    let sender = url(server.address.port());
    let mut settings = json!({ "sender": sender, "sender_ca_file": ca_file });
    let service = city.start(&settings).await;
    let shopper = city.member(&service).await;
    let welcome = ("welcome", &*shopper.id);
    city.notification(&service, welcome, is_sent).await;
    let letter = server.letters().remove(0);
    assert!(letter.by_tls);
    let user = letter.user.unwrap();
    assert_eq!(user, ("city".to_owned(), "pass".to_owned()));
    service.stop().await;

    // Whoever signed for this server is a stranger to Mozilla: then nothing is said to it.
    settings["sender_ca_file"] = json!("");
    let service = city.start(&settings).await;
    let (order, _) = city.confirms(&shopper);
    let (spoke, knocked) = (server.heard("AUTH"), server.heard("EHLO"));
    eventually("the gauge says that it waits", async || {
        (metric(&service, "unsent").await > 0.0).then_some(())
    })
    .await;
    if security == Security::Asked {
        eventually("it was tried", async || {
            (server.heard("EHLO") > knocked).then_some(())
        })
        .await;
    }
    assert_eq!(server.heard("AUTH"), spoke);
    assert!(about(&server, &order).is_empty());
}

#[tokio::test]
async fn letters_go_by_tls_after_starttls() {
    letters_go_by_tls(Security::Asked, |port| {
        format!("smtp://city:pass@localhost:{port}?tls=required")
    })
    .await;
}

#[tokio::test]
async fn letters_go_by_tls_from_the_start() {
    letters_go_by_tls(Security::FromTheStart, |port| {
        format!("smtps://city:pass@localhost:{port}")
    })
    .await;
}

/// Whoever stands in between could take the offer of TLS away.
#[tokio::test]
async fn without_the_tls_that_was_asked_for_nothing_is_said() {
    let server = Server::open().await;
    let city = City::open().await;
    let port = server.address.port();
    let sender = format!("smtp://city:pass@127.0.0.1:{port}?tls=required");
    let service = city.start(&json!({ "sender": sender })).await;
    let shopper = Shopper { id: id() };
    city.registers(&shopper);
    eventually("it was tried again", async || {
        (server.heard("EHLO") > 2).then_some(())
    })
    .await;
    assert_eq!(server.heard("AUTH") + server.heard("MAIL"), 0);
    let told = city.told(&service, &shopper).await;
    assert_eq!(told[0]["sent_at"], Value::Null);
}
