//! Two services in one process do not mix.

use crate::collected;
use crate::instrument::{call, subscribed};
use std::time::Duration;
use telemetry::testing::Collector;

#[tracing::instrument]
async fn shared() {
    tokio::task::yield_now().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_service_gets_its_own_spans() {
    let services = [subscribed("one"), subscribed("two")];
    let mut tasks = tokio::task::JoinSet::new();
    for i in 0..200 {
        let telemetry = services[i % 2].0.clone();
        tasks.spawn(async move { call(&telemetry, shared).await });
    }
    tasks.join_all().await;
    for ((telemetry, collector), name) in services.iter().zip(["one", "two"]) {
        let spans = collector.spans().await;
        assert_eq!(spans.len(), 200);
        assert!(spans.iter().all(|span| span.service() == name));
        for tree in telemetry::testing::Tree::each(spans) {
            tree.assert_shape(&format!("{name} GET /work\n  {name} shared"));
        }
        assert_eq!(telemetry.counts().produced, 200);
    }
}

#[tokio::test]
async fn one_may_end_before_the_other() {
    let ((first, first_spans), (second, second_spans)) = (collected("one"), collected("two"));
    let count = async |collector: &Collector| collector.spans().await.len();
    call(&first, || async {}).await;
    assert!(first.shutdown(Duration::from_secs(1)).await.is_complete());
    call(&first, || async {}).await;
    call(&second, || async {}).await;
    assert_eq!(
        (count(&first_spans).await, count(&second_spans).await),
        (1, 1)
    );
    let report = second.shutdown(Duration::from_secs(1)).await;
    assert!(report.is_complete(), "{report}");
    assert_eq!(first.counts().dropped(), 1);
}
