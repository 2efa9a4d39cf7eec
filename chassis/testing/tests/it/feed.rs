use reqwest::header;
use serde_json::{Value, json};
use testing::{Feed, Town, assert_problem};

async fn ask(feed: &Feed, town: &Town, query: &str) -> reqwest::Response {
    let url = format!("http://{}/inner/v1/feed?{query}", feed.address());
    let token = town.service_token("catalog", "orders");
    let request = reqwest::Client::new().get(url).bearer_auth(token);
    request.send().await.unwrap()
}

fn ids(batch: &Value) -> Vec<&str> {
    let events = batch.as_array().unwrap().iter();
    events.map(|event| event["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_feed_that_a_test_plays_answers_as_a_producer_does() {
    let town = Town::new();
    let feed = Feed::open(&town, "orders").await;
    let first = feed.publish("orders.OrderConfirmed.v1", "a", &json!({"n": 1}));
    let second = feed.publish("orders.OrderConfirmed.v1", "b", &json!({"n": 2}));

    let all = ask(&feed, &town, "limit=10").await;
    assert_eq!(
        all.headers()[header::CONTENT_TYPE],
        "application/cloudevents-batch+json"
    );
    assert_eq!(all.headers()["citywatch-feed-head"], "2");
    let all: Value = all.json().await.unwrap();
    assert_eq!(ids(&all), [&*first.id, &*second.id]);
    assert_eq!(all[0]["type"], "citywatch.orders.OrderConfirmed.v1");
    assert_eq!(all[1]["sequence"], "2");

    let after = format!("lastEventId={}", first.id);
    let rest: Value = ask(&feed, &town, &after).await.json().await.unwrap();
    assert_eq!(ids(&rest), [&*second.id]);

    // Who waits is woken.
    let after = format!("lastEventId={}&timeout=20000", second.id);
    let (answer, third) = tokio::join!(ask(&feed, &town, &after), async {
        feed.publish("orders.OrderConfirmed.v1", "c", &json!({}))
    });
    let late: Value = answer.json().await.unwrap();
    assert_eq!(ids(&late), [&*third.id]);
    let nothing = format!("lastEventId={}&timeout=1", third.id);
    let nothing: Value = ask(&feed, &town, &nothing).await.json().await.unwrap();
    assert_eq!(nothing, json!([]));

    feed.truncate(2);
    let gone = format!("lastEventId={}", first.id);
    assert_problem(ask(&feed, &town, &gone).await, 410, "feed_truncated").await;
    let boundary = format!("lastEventId={}", second.id);
    let kept: Value = ask(&feed, &town, &boundary).await.json().await.unwrap();
    assert_eq!(ids(&kept), [&*third.id]);

    let url = format!("http://{}/inner/v1/feed", feed.address());
    assert_eq!(reqwest::get(url).await.unwrap().status(), 401);
}
