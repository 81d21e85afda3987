//! OpenTelemetry traces: a span per unit, part of the trace of its submission.

use std::collections::HashMap;

use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracerProvider, Tracer};
use tracing_opentelemetry::{OpenTelemetryLayer, OpenTelemetrySpanExt as _};
use tracing_subscriber::registry::LookupSpan;

use crate::exit::{Exit, Outcome};

/// Sends spans; what is left is sent when this is dropped.
pub struct Traces {
    provider: SdkTracerProvider,
}

impl Drop for Traces {
    fn drop(&mut self) {
        // A collector that is gone must not keep the process.
        let _ = self.provider.shutdown();
    }
}

impl Traces {
    /// The layer that makes spans of the log's spans.
    pub fn layer<S>(&self) -> OpenTelemetryLayer<S, Tracer>
    where
        S: tracing::Subscriber + for<'span> LookupSpan<'span>,
    {
        tracing_opentelemetry::layer().with_tracer(self.provider.tracer("ventral"))
    }
}

/// Starts to send spans; needs a runtime.
pub fn start(role: &'static str, endpoint: &str) -> Outcome<Traces> {
    let exporter = SpanExporter::builder().with_tonic().with_endpoint(endpoint).build();
    let exporter = exporter.map_err(|error| Exit::input(format!("--otlp-endpoint {endpoint}: {error}")))?;
    let resource = Resource::builder().with_service_name(format!("ventral-{role}")).build();
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
    Ok(Traces { provider })
}

/// Makes a span part of the trace that a W3C trace context names.
pub fn link(span: &tracing::Span, traceparent: &str) {
    let carrier = HashMap::from([("traceparent".to_owned(), traceparent.to_owned())]);
    // Without traces there is nothing to be part of.
    let _ = span.set_parent(TraceContextPropagator::new().extract(&carrier));
}
