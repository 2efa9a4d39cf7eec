//! Whatever is said to the gateway gets its proper status and a problem body, harms nothing,
//! reaches no service and adds no series: tables of it, said to the real binary.

mod flood;
mod framing;
mod heads;
mod labels;
mod routes;
mod sizes;
mod slow;
mod tokens;

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::Uri;
use serde_json::json;

use crate::behind::Behind;
use crate::raw::{Answer, Client};
use crate::real::{Real, real};

const GOOD: &str = "GET /known HTTP/1.1\r\nhost: t\r\n\r\n";
const SMUGGLED: &str = "GET /open/smuggled HTTP/1.1\r\nhost: t\r\n\r\n";

/// Something to say, and the answer that it should get.
struct Case {
    name: &'static str,
    say: Vec<u8>,
    status: u16,
    code: &'static str,
    /// The connection cannot go on.
    closes: bool,
}

#[derive(Default)]
struct Table(Vec<Case>);

impl Table {
    /// Adds what gets this answer, the last one on its connection.
    fn closes<S: Into<Vec<u8>>>(
        self,
        status: u16,
        code: &'static str,
        say: impl IntoIterator<Item = (&'static str, S)>,
    ) -> Self {
        self.add(status, code, true, say)
    }

    /// Adds what gets this answer on a connection that goes on.
    fn stays<S: Into<Vec<u8>>>(
        self,
        status: u16,
        code: &'static str,
        say: impl IntoIterator<Item = (&'static str, S)>,
    ) -> Self {
        self.add(status, code, false, say)
    }

    fn add<S: Into<Vec<u8>>>(
        mut self,
        status: u16,
        code: &'static str,
        closes: bool,
        say: impl IntoIterator<Item = (&'static str, S)>,
    ) -> Self {
        self.0.extend(say.into_iter().map(|(name, say)| Case {
            name,
            say: say.into(),
            status,
            code,
            closes,
        }));
        self
    }
}

/// Says a table to the real binary, thrice and differently by the letter that it is given: only
/// the first time may there be new series.
async fn withstands(table: impl Fn(char) -> Table) {
    let reached = Arc::new(Mutex::new(Vec::new()));
    let list = Arc::clone(&reached);
    // A body that breaks off or is cut off fails before this handler is called.
    let behind = Behind::router(Router::new().fallback(async move |uri: Uri, _body: Bytes| {
        list.lock().unwrap().push(uri.to_string());
        "served"
    }));
    let mut real = real(&json!({"max_body_bytes": 1000}), &[behind.address]).await;
    let mut series = None;
    for letter in ['a', 'b', 'c'] {
        let mut wrong = Vec::new();
        for case in table(letter).0 {
            if let Err(what) = stands(&mut real, &case).await {
                wrong.push(format!("{}: {what}", case.name));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
        let now = real.series().await;
        assert_eq!(series.get_or_insert_with(|| now.clone()), &now);
    }
    let reached = std::mem::take(&mut *reached.lock().unwrap());
    assert!(!reached.is_empty(), "good requests are served meanwhile");
    assert!(reached.iter().all(|uri| uri == "/known"), "{reached:?}");
    real.ends_unharmed().await;
}

/// Says one thing twice: on a connection of its own, and between a good request and one that
/// it might smuggle in.
async fn stands(real: &mut Real, case: &Case) -> Result<(), String> {
    let mut alone = real.client().await;
    alone.send(&case.say).await;
    is_refused(real, &mut alone, case).await?;

    let mut between = real.client().await;
    let follows = if case.closes { SMUGGLED } else { GOOD };
    let all = [GOOD.as_bytes(), &case.say, follows.as_bytes()].concat();
    between.send(all).await;
    is_served(real, &between.try_answer().await)?;
    is_refused(real, &mut between, case).await?;
    if !case.closes {
        is_served(real, &between.try_answer().await)?;
    }
    Ok(())
}

fn is_served(real: &mut Real, answer: &Option<Answer>) -> Result<(), String> {
    let answer = answer.as_ref().ok_or("a good request is not answered")?;
    real.saw(answer);
    match answer.status {
        200 => Ok(()),
        other => Err(format!("a good request gets {other}")),
    }
}

async fn is_refused(real: &mut Real, client: &mut Client, case: &Case) -> Result<(), String> {
    let answer = client.try_answer().await.ok_or("no answer")?;
    real.saw(&answer);
    let (status, code) = (answer.status, answer.problem());
    if (status, code.as_str()) != (case.status, case.code) {
        let wanted = format!("{} {}", case.status, case.code);
        return Err(format!("{status} {code}, not {wanted}"));
    }
    if case.closes && answer.header("connection") != Some("close") {
        return Err("does not say that it closes".to_owned());
    }
    if case.closes && !client.is_closed().await {
        return Err(format!("goes on: {}", client.text()));
    }
    Ok(())
}
