//! RPC → who may call it. An RPC that is not here cannot be called; a test compares this with the contract.

use super::Role;

/// Who may call an RPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody: probes have no token.
    Open,
    /// Readers, or anybody where the operator has opened the scaler: KEDA can present a certificate but no token.
    Scaler,
    /// Callers with at least this role.
    Role(Role),
}

/// How long a call lasts and what it counts against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One message each way, within the time limit.
    Unary,
    /// At least one side streams; counts as a stream, and has its own idle limits.
    Stream,
}

/// An RPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Method {
    /// Path of the HTTP/2 request.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
    /// How long it lasts.
    pub shape: Shape,
}

const fn method(path: &'static str, access: Access, shape: Shape) -> Method {
    Method { path, access, shape }
}

const READER: Access = Access::Role(Role::Reader);
const SUBMITTER: Access = Access::Role(Role::Submitter);
const OPERATOR: Access = Access::Role(Role::Operator);

/// Every RPC that is served.
pub const METHODS: &[Method] = &[
    method("/ventral.v1.Evaluations/Plan", SUBMITTER, Shape::Unary),
    method("/ventral.v1.Evaluations/Submit", SUBMITTER, Shape::Unary),
    method("/ventral.v1.Evaluations/SubmitDrill", OPERATOR, Shape::Unary),
    method("/ventral.v1.Evaluations/Get", READER, Shape::Unary),
    method("/ventral.v1.Evaluations/List", READER, Shape::Unary),
    method("/ventral.v1.Evaluations/Watch", READER, Shape::Stream),
    method("/ventral.v1.Evaluations/Pause", SUBMITTER, Shape::Unary),
    method("/ventral.v1.Evaluations/Resume", SUBMITTER, Shape::Unary),
    method("/ventral.v1.Evaluations/Cancel", SUBMITTER, Shape::Unary),
    method("/ventral.v1.Evaluations/Retry", SUBMITTER, Shape::Unary),
    method("/ventral.v1.Evaluations/ListUnits", READER, Shape::Unary),
    method("/ventral.v1.Evaluations/Explain", READER, Shape::Unary),
    method("/ventral.v1.Evaluations/GetPlan", READER, Shape::Stream),
    method("/ventral.v1.Scores/Get", READER, Shape::Stream),
    method("/ventral.v1.Scores/Leaderboard", READER, Shape::Unary),
    method("/ventral.v1.Scores/Compare", READER, Shape::Unary),
    method("/ventral.v1.Scores/Export", READER, Shape::Stream),
    method("/ventral.v1.Catalog/ListModels", READER, Shape::Unary),
    method("/ventral.v1.Catalog/ListBenchmarks", READER, Shape::Unary),
    method("/ventral.v1.Catalog/ListMetrics", READER, Shape::Unary),
    method("/ventral.v1.Artifacts/FindMissing", SUBMITTER, Shape::Unary),
    method("/ventral.v1.Artifacts/QueryUpload", SUBMITTER, Shape::Unary),
    method("/ventral.v1.Artifacts/Upload", SUBMITTER, Shape::Stream),
    method("/ventral.v1.Artifacts/Download", READER, Shape::Stream),
    method("/ventral.v1.Fleet/ListWorkers", READER, Shape::Unary),
    method("/ventral.v1.Fleet/Drain", OPERATOR, Shape::Unary),
    method("/ventral.v1.Fleet/ListPools", READER, Shape::Unary),
    method("/ventral.v1.Fleet/ListDead", OPERATOR, Shape::Unary),
    method("/externalscaler.ExternalScaler/IsActive", Access::Scaler, Shape::Unary),
    method("/externalscaler.ExternalScaler/StreamIsActive", Access::Scaler, Shape::Stream),
    method("/externalscaler.ExternalScaler/GetMetricSpec", Access::Scaler, Shape::Unary),
    method("/externalscaler.ExternalScaler/GetMetrics", Access::Scaler, Shape::Unary),
    method("/grpc.health.v1.Health/Check", Access::Open, Shape::Unary),
    method("/grpc.health.v1.Health/Watch", Access::Open, Shape::Stream),
    method("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", READER, Shape::Stream),
];

/// The RPC of this path.
pub fn find(path: &str) -> Option<Method> {
    METHODS.iter().find(|method| method.path == path).copied()
}
