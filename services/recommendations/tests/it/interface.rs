use recommendations::Recommendations;
use reqwest::Method;
use testing::assert_problem;

use crate::shelf::{open, products};

#[test]
fn the_interface_is_the_one_checked_in() {
    testing::openapi::assert_current::<Recommendations>(env!("CARGO_MANIFEST_DIR"));
}

#[tokio::test]
async fn metrics_are_born_at_zero_and_count() {
    let shelf = open().await;
    let page = shelf.service.metrics().await;
    let answers = |tie: &str, outcome: &str, n: u64| {
        format!(
            "\ncitywatch_recommendations_answers_total{{outcome=\"{outcome}\",tie=\"{tie}\"}} {n}\n"
        )
    };
    for tie in ["bought", "viewed"] {
        let forgotten =
            format!("\ncitywatch_recommendations_pairs_forgotten_total{{tie=\"{tie}\"}} 0\n");
        for line in [
            answers(tie, "found", 0),
            answers(tie, "empty", 0),
            forgotten,
        ] {
            assert!(page.contains(&line), "{line} is not in {page}");
        }
    }
    let [a, b] = products();
    shelf.order(&[a, b]);
    shelf.settled().await;
    shelf.also_bought(a).await;
    let page = shelf.service.metrics().await;
    for line in [answers("bought", "found", 1), answers("viewed", "empty", 1)] {
        assert!(page.contains(&line), "{line} is not in {page}");
    }
}

#[tokio::test]
async fn anyone_may_ask_and_operators_may_count() {
    let shelf = open().await;
    let town = shelf.service.town();
    let url = format!("{}/inner/v1/counts", shelf.service.url);
    for token in [
        town.member_token("0198-admin", &["admin"]),
        town.service_token("gateway", "recommendations"),
    ] {
        let request = shelf.service.http.get(&url).bearer_auth(token);
        assert_problem(request.send().await.unwrap(), 401, "invalid_token").await;
    }
    let nobody = shelf.service.http.get(&url).send().await.unwrap();
    assert_problem(nobody, 401, "missing_token").await;
    let [a] = products();
    assert_eq!(shelf.ask(a).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn bad_questions_get_a_problem() {
    let shelf = open().await;
    let [a] = products();
    for (limit, code) in [
        ("0", "invalid_limit"),
        ("51", "invalid_limit"),
        ("-1", "invalid_query"),
        ("ten", "invalid_query"),
    ] {
        let answer = shelf.ask(a).query(&[("limit", limit)]).send().await;
        assert_problem(answer.unwrap(), 400, code).await;
    }
    let url = format!("{}/api/products/mug/recommendations", shelf.service.url);
    let answer = shelf.service.http.get(url).send().await.unwrap();
    assert_problem(answer, 400, "invalid_path").await;
    for (query, code) in [
        (("limit", "0"), "invalid_limit"),
        (("limit", "1001"), "invalid_limit"),
        (("cursor", "AAAA"), "invalid_cursor"),
    ] {
        let request = shelf.operator(Method::GET, "counts").query(&[query]);
        assert_problem(request.send().await.unwrap(), 400, code).await;
    }
}
