//! 1,000 tokens a second that name keys that nobody knows.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant as Moment, sleep_until};

use crate::behind::{Behind, Registry};
use crate::raw::{Answer, Client};
use crate::real::real;
use crate::town::SERVICE;

const A_SECOND: u32 = 1_000;
const SECONDS: u32 = 3;
const CONNECTIONS: u32 = 8;
const KEYS: &str = "jwks.members";

fn knock(token: &str) -> String {
    format!("GET /member HTTP/1.1\r\nhost: t\r\nauthorization: Bearer {token}\r\n\r\n")
}

/// Sends a share of the flood, each request at its moment whether or not the one before is
/// answered, and reads the answers; also says when the last was sent.
async fn flood(
    mut client: Client,
    begin: Moment,
    requests: Vec<(u32, String)>,
) -> (Vec<Answer>, Moment) {
    let mut writer = client.take_writer();
    let expected = requests.len();
    let write = async {
        for (number, request) in requests {
            sleep_until(begin + Duration::from_secs(1) * number / A_SECOND).await;
            writer.write_all(request.as_bytes()).await.unwrap();
        }
        Moment::now()
    };
    let read = async {
        let mut answers = Vec::with_capacity(expected);
        while answers.len() < expected {
            answers.push(client.answer().await);
        }
        answers
    };
    let (sent, answers) = tokio::join!(write, read);
    (answers, sent)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_unknown_keys_costs_no_signature_no_question_and_no_member() {
    let behind = Behind::router(Router::new().fallback(async || "served"));
    let started = Instant::now();
    let registry = Registry::start();
    registry.place(SERVICE, &[behind.address]);
    let mut real = real(&json!({"registry_url": registry.url}), &[]).await;
    registry.write(
        KEYS,
        &json!({"keys": [real.town.member_key().public_jwk()]}),
    );
    let good = real.town.member_token("m-1", &[]);
    // On one connection, so that it is one worker that remembers the token.
    let mut member = real.client().await;
    loop {
        let answer = member.say(knock(&good)).await;
        real.saw(&answer);
        // Instances and keys come with watches of their own.
        if answer.status == 200 {
            break;
        }
        assert!(matches!(answer.status, 401 | 503), "{answer:?}");
    }
    // and once a refusal, so that its series is there
    let stranger = "eyJhbGciOiJFZERTQSIsImtpZCI6ImV4In0.e30.AAAA";
    let refused = real.say(knock(stranger)).await;
    assert_eq!(refused.problem(), "invalid_token");
    testing::eventually("the registry is asked for the unknown key", || async {
        (registry.asked(KEYS) > 1).then_some(())
    })
    .await;

    let signatures = "citywatch_gateway_signatures_checked_total";
    let rejections = "citywatch_gateway_rejections_total{reason=\"invalid_token\"}";
    let before = (real.metric(signatures).await, real.metric(rejections).await);
    let asked = registry.asked(KEYS);
    let series = real.series().await;

    let (claims, signature) = good.split_once('.').unwrap().1.split_once('.').unwrap();
    let request = |number: u32| {
        let head = json!({"alg": "EdDSA", "typ": "JWT", "kid": format!("unknown-{number:036}")});
        let head = URL_SAFE_NO_PAD.encode(head.to_string());
        knock(&format!("{head}.{claims}.{signature}"))
    };
    let count = A_SECOND * SECONDS;
    let begin = Moment::now() + Duration::from_millis(50);
    let mut floods = Vec::new();
    for connection in 0..CONNECTIONS {
        let share = (connection..count).step_by(CONNECTIONS as usize);
        let share = share.map(|number| (number, request(number))).collect();
        floods.push(tokio::spawn(flood(real.client().await, begin, share)));
    }
    let done = Arc::new(tokio::sync::Notify::new());
    let served = tokio::spawn(serve_meanwhile(member, knock(&good), Arc::clone(&done)));
    let (mut refused, mut last) = (Vec::new(), begin);
    for flood in floods {
        let (answers, sent) = flood.await.unwrap();
        refused.extend(answers);
        last = last.max(sent);
    }
    done.notify_one();
    let (answers, mut times) = served.await.unwrap();

    let took = last.duration_since(begin).as_secs_f64();
    times.sort_unstable();
    let (median, worst) = (times[times.len() / 2], times[times.len() - 1]);
    println!(
        "{:.0} unknown keys a second; of {} requests of a member meanwhile the median took \
         {median:?}, the slowest {worst:?}",
        f64::from(count) / took,
        times.len(),
    );
    assert_eq!(refused.len(), count as usize);
    for answer in &refused {
        real.saw(answer);
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (401, "invalid_token")
        );
    }
    for answer in &answers {
        real.saw(answer);
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let after = (real.metric(signatures).await, real.metric(rejections).await);
    assert_eq!(after.0 - before.0, 0.0, "signatures were checked");
    assert_eq!(after.1 - before.1, f64::from(count));
    // One question in ten seconds, and the first was asked before the flood.
    let questions = registry.asked(KEYS) - asked;
    let allowed = started.elapsed().as_secs() / 10;
    assert!(u64::from(questions) <= allowed, "{questions} questions");
    assert_eq!(real.series().await, series);
    real.ends_unharmed().await;
}

/// A member goes on asking, with pauses, until told that it is done; its answers, and the time
/// that each took.
async fn serve_meanwhile(
    mut client: Client,
    request: String,
    done: Arc<tokio::sync::Notify>,
) -> (Vec<Answer>, Vec<Duration>) {
    let (mut answers, mut times) = (Vec::new(), Vec::new());
    loop {
        let asked = Instant::now();
        answers.push(client.say(&request).await);
        times.push(asked.elapsed());
        let pause = tokio::time::timeout(Duration::from_millis(20), done.notified());
        if pause.await.is_ok() {
            return (answers, times);
        }
    }
}
