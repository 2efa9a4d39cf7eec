use std::net::SocketAddr;

use app::extract::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Context;
use super::instances::InstanceStateBody;
use crate::domain::Listed;

/// One group of targets, as Prometheus' HTTP service discovery has it
/// (<https://prometheus.io/docs/prometheus/latest/http_sd/>).
#[derive(Serialize, ToSchema)]
pub(crate) struct TargetGroup {
    #[schema(value_type = Vec<String>, example = json!(["127.0.0.1:41235"]))]
    targets: [SocketAddr; 1],
    labels: TargetLabels,
}

#[derive(Serialize, ToSchema)]
struct TargetLabels {
    service: String,
    instance_id: String,
    state: InstanceStateBody,
}

/// Where to scrape, for Prometheus. Instances that lapsed stay for ten minutes, so that `up == 0`
/// can be seen. Open: it says where metrics are and nothing else.
#[utoipa::path(
    get,
    path = "/prometheus/targets",
    tag = "prometheus",
    responses((status = 200, body = Vec<TargetGroup>)),
)]
pub(super) async fn targets(State(context): State<Context>) -> Json<Vec<TargetGroup>> {
    let group = |Listed { instance, state }: Listed| {
        let labels = TargetLabels {
            service: instance.service.to_string(),
            instance_id: instance.id.to_string(),
            state: state.into(),
        };
        instance.admin_address.map(|address| TargetGroup {
            targets: [address],
            labels,
        })
    };
    Json(
        context
            .directory
            .all()
            .into_iter()
            .filter_map(group)
            .collect(),
    )
}
