//! Forged, expired, misdirected and unsigned tokens open nothing.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use identity::{Claims, SigningKey};
use serde_json::json;

use crate::behind::Behind;
use crate::real::{Real, real};

/// The token, with some of its parts replaced.
fn forged(token: &str, change: impl Fn(&mut Vec<String>)) -> String {
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    change(&mut parts);
    parts.join(".")
}

fn request(path: &str, lines: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: t\r\nauthorization: {lines}\r\n\r\n")
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs()
}

/// What is no token of a member: its name, and itself.
fn bad_tokens(real: &Real, good: &str, letter: char) -> Vec<(&'static str, String)> {
    let id = format!("m-{letter}");
    let claims = |from: u64| Claims::member(&id, &["admin"], from, 300);
    let key = real.town.member_key();
    let stranger = SigningKey::generate().unwrap();
    let admin = key.sign(&claims(now()));
    let head = |alg: &str| {
        let head = json!({"alg": alg, "typ": "JWT", "kid": key.kid()});
        URL_SAFE_NO_PAD.encode(head.to_string())
    };
    let part = |token: &str, index| token.split('.').nth(index).unwrap().to_owned();
    let with_head = |alg: &str| forged(&admin, |parts| parts[0] = head(alg));
    let aud = Claims {
        aud: "elsewhere".into(),
        ..claims(now())
    };
    let iss = Claims {
        iss: "elsewhere".into(),
        ..claims(now())
    };
    vec![
        ("nonsense", format!("nonsense-{letter}")),
        ("dots", format!("{letter}..")),
        ("expired", key.sign(&claims(now() - 600))),
        ("not yet good", key.sign(&claims(now() + 600))),
        ("another audience", key.sign(&aud)),
        ("another issuer", key.sign(&iss)),
        ("an unknown key", stranger.sign(&claims(now()))),
        (
            "signed by a stranger in our key's name",
            forged(&stranger.sign(&claims(now())), |parts| {
                parts[0] = head("EdDSA");
            }),
        ),
        (
            "a service's",
            real.town.service_token("catalog", "citywatch"),
        ),
        (
            "unsigned",
            forged(&with_head("none"), |parts| parts[2].clear()),
        ),
        ("unsigned, with a signature", with_head("none")),
        ("another algorithm", with_head("HS256")),
        ("no signature", forged(&admin, |parts| parts[2].clear())),
        (
            "signature cut short",
            forged(&admin, |parts| parts[2].truncate(40)),
        ),
        (
            "signature of another",
            forged(&admin, |parts| parts[2] = part(good, 2)),
        ),
        (
            "claims of another",
            forged(good, |parts| parts[1] = part(&admin, 1)),
        ),
        (
            "two parts",
            forged(&admin, |parts| {
                parts.pop();
            }),
        ),
        ("four parts", format!("{admin}.{letter}")),
        ("long", letter.to_string().repeat(9_000)),
    ]
}

#[tokio::test]
async fn bad_tokens_are_refused_everywhere_even_where_none_is_needed() {
    let behind = Behind::router(Router::new().fallback(async || "served"));
    let mut real = real(&json!({}), &[behind.address]).await;
    let good = real.town.member_token("m-1", &[]);
    let knock = request("/member", &format!("Bearer {good}"));
    // Remembered from here on, which must not vouch for what only looks like it.
    assert_eq!(real.say(&knock).await.status, 200);
    let mut series = None;
    for letter in ['a', 'b'] {
        for (name, token) in bad_tokens(&real, &good, letter) {
            for path in ["/open", "/member", "/admin"] {
                let answer = real.say(request(path, &format!("Bearer {token}"))).await;
                let refused = (answer.status, answer.problem());
                assert_eq!(refused, (401, "invalid_token".to_owned()), "{name}");
                let challenge = answer.header("www-authenticate").unwrap();
                assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
            }
        }
        for lines in [
            format!("Bearer {letter}\r\nauthorization: Bearer {letter}"),
            format!("Bearer {good}\r\nauthorization: Bearer {letter}"),
            format!("Bearer {good}\r\nAuthorization: Bearer {good}"),
            "Bearer".to_owned(),
        ] {
            let answer = real.say(request("/member", &lines)).await;
            let refused = (answer.status, answer.problem());
            assert_eq!(
                refused,
                (400, "ambiguous_credentials".to_owned()),
                "{lines}"
            );
        }
        for lines in [format!("Basic {letter}"), letter.to_string()] {
            let answer = real.say(request("/member", &lines)).await;
            assert_eq!(answer.problem(), "missing_token", "{lines}");
        }
        let now = real.series().await;
        assert_eq!(series.get_or_insert_with(|| now.clone()), &now);
    }
    assert_eq!(real.say(&knock).await.status, 200);
    real.ends_unharmed().await;
}
