//! How many workers are wanted, for KEDA: the backlog of pools in seconds, against what one replica is worth.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use tonic::{Request, Response, Status};
use ventral_plan::pool::{ASSEMBLE_POOL, DRILL_POOL};
use ventral_proto::externalscaler as keda;
use ventral_proto::externalscaler::external_scaler_server::ExternalScaler;

use super::Shared;
use super::shared::ending;
use super::status::invalid;
use super::stream::Messages;
use crate::core::PoolView;

/// The one metric.
const METRIC: &str = "backlog-seconds";
/// Metadata: begin of the names of the pools.
const POOLS: &str = "pools";
/// Metadata: backlog that one replica is worth, in seconds.
const TARGET: &str = "targetSeconds";
/// Target when the metadata names none.
const DEFAULT_TARGET_SECONDS: f64 = 300.0;
/// Time between looks of a stream.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The service.
pub struct Scaler(pub Arc<Shared>);

impl Scaler {
    async fn pools(&self, metadata: &HashMap<String, String>) -> Result<Vec<PoolView>, Status> {
        let mut pools = self.0.core.pools().await.map_err(|error| self.0.fault(error))?;
        match metadata.get(POOLS) {
            Some(begin) => pools.retain(|pool| pool.pool.starts_with(begin.as_str())),
            None => pools.retain(|pool| pool.pool != ASSEMBLE_POOL && pool.pool != DRILL_POOL),
        }
        Ok(pools)
    }

    async fn active(&self, metadata: &HashMap<String, String>) -> Result<bool, Status> {
        Ok(self.pools(metadata).await?.iter().any(|pool| units(pool) > 0))
    }
}

fn units(pool: &PoolView) -> u64 {
    pool.waiting + pool.ready + pool.delayed + pool.leased
}

/// Predicted seconds, but never less than one per unit: a unit whose time is unknown needs a worker all the same.
fn backlog(pools: &[PoolView]) -> f64 {
    pools.iter().map(|pool| pool.backlog_seconds.max(units(pool) as f64)).sum()
}

fn target(metadata: &HashMap<String, String>) -> Result<f64, Status> {
    let Some(text) = metadata.get(TARGET) else { return Ok(DEFAULT_TARGET_SECONDS) };
    match text.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() && seconds > 0.0 => Ok(seconds),
        _ => Err(invalid(TARGET, "write seconds above 0, such as 300")),
    }
}

#[tonic::async_trait]
impl ExternalScaler for Scaler {
    async fn is_active(
        &self,
        request: Request<keda::ScaledObjectRef>,
    ) -> Result<Response<keda::IsActiveResponse>, Status> {
        let result = self.active(&request.into_inner().scaler_metadata).await?;
        Ok(Response::new(keda::IsActiveResponse { result }))
    }

    type StreamIsActiveStream = Messages<keda::IsActiveResponse>;

    async fn stream_is_active(
        &self,
        request: Request<keda::ScaledObjectRef>,
    ) -> Result<Response<Self::StreamIsActiveStream>, Status> {
        let metadata = request.into_inner().scaler_metadata;
        let first = (Self(self.0.clone()), metadata, None);
        let stream = futures::stream::unfold(
            first,
            |(scaler, metadata, told): (Self, _, Option<bool>)| async move {
                let mut stop = scaler.0.stop.clone();
                loop {
                    if told.is_some() {
                        tokio::select! {
                            () = tokio::time::sleep(LOOK_EVERY) => {}
                            _ = stop.wait_for(|stop| *stop) => return Some((Err(ending()), (scaler, metadata, told))),
                        }
                    }
                    match scaler.active(&metadata).await {
                        Ok(result) if told != Some(result) => {
                            return Some((
                                Ok(keda::IsActiveResponse { result }),
                                (scaler, metadata, Some(result)),
                            ));
                        }
                        Ok(_) => {}
                        Err(status) => return Some((Err(status), (scaler, metadata, told))),
                    }
                }
            },
        );
        // The stream ends with its first error.
        let ended = futures::StreamExt::scan(stream, false, |failed, item| {
            let before = std::mem::replace(failed, item.is_err());
            std::future::ready((!before).then_some(item))
        });
        Ok(Response::new(ended.boxed()))
    }

    async fn get_metric_spec(
        &self,
        request: Request<keda::ScaledObjectRef>,
    ) -> Result<Response<keda::GetMetricSpecResponse>, Status> {
        let target = target(&request.into_inner().scaler_metadata)?;
        let spec = keda::MetricSpec {
            metric_name: METRIC.to_owned(),
            target_size: target.ceil() as i64,
            target_size_float: target,
        };
        Ok(Response::new(keda::GetMetricSpecResponse { metric_specs: vec![spec] }))
    }

    async fn get_metrics(
        &self,
        request: Request<keda::GetMetricsRequest>,
    ) -> Result<Response<keda::GetMetricsResponse>, Status> {
        let body = request.into_inner();
        if !body.metric_name.ends_with(METRIC) {
            return Err(invalid("metricName", format!("there is only {METRIC}")));
        }
        let metadata = body.scaled_object_ref.unwrap_or_default().scaler_metadata;
        let seconds = backlog(&self.pools(&metadata).await?);
        let value = keda::MetricValue {
            metric_name: body.metric_name,
            metric_value: seconds.ceil() as i64,
            metric_value_float: seconds,
        };
        Ok(Response::new(keda::GetMetricsResponse { metric_values: vec![value] }))
    }
}
