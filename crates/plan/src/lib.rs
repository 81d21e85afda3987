//! Spec to units, digests, cost and memory.
//!
//! Pure: a plan is a function of the job spec and of facts about models, benchmarks and the machine,
//! so a dry run and a real run cannot differ.
//!
//! - [`spec`]: the job spec a user writes
//! - [`facts`]: what planning needs to know about models, benchmarks and the machine
//! - [`searchlight`]: what a spec says about brain maps
//! - [`maps`]: map units and the scans they are of
//! - [`synthesis`]: what a spec says about images whose layers tell themselves apart
//! - [`syntheses`]: synthesis units and the natural images they are compared with
//! - [`unit`]: features units and score units, and the identity each is named by
//! - [`assignment`]: what a worker is told about a unit
//! - [`cost`]: predicted memory and time of a unit
//! - [`fit`]: which units fit into how much memory
//! - `placement`: where scores are computed
//! - [`planner`]: puts these together
//! - [`planned`]: a plan as a cluster keeps it, and cards that were refused
//! - `unread`: models that a job reads nothing from
//! - [`pool`]: which workers can run a unit
//! - [`Digest`]: the name of a result

pub mod assignment;
pub mod cost;
mod digest;
pub mod facts;
pub mod fit;
pub mod maps;
mod placement;
pub mod planned;
pub mod planner;
pub mod pool;
pub mod searchlight;
pub mod spec;
pub mod syntheses;
pub mod synthesis;
pub mod unit;
mod unread;

pub use assignment::{Assignment, UnitReport, Work};
pub use cost::Estimate;
pub use digest::{Digest, InvalidDigest};
pub use facts::{
    BehaviorFacts, BenchmarkFacts, Ceiling, Consumes, LayerFacts, MachineFacts, ModelFacts, PartFacts,
    Variant,
};
pub use fit::{Unfit, UnitRef};
pub use maps::{CENTRES_PER_UNIT, CommonFacts, MapSource, MapUnit, ScanFacts, ScanStimuli, SubjectFacts};
pub use placement::SCORING_SECONDS;
pub use planned::{CardKind, MAPS_DOCUMENT, PLAN_DOCUMENT, PlannedJob, Refused, SYNTHESIS_DOCUMENT};
pub use planner::{Error, Facts, Plan, plan, plan_without};
pub use searchlight::{Correction, GroupSpec, Method, SearchlightSpec, StimulusSets, Threshold};
pub use spec::{JobSpec, Preset, Scoring, Selection, SpecError};
pub use syntheses::{GradientFacts, PoolFacts, SynthesisUnit, told_apart};
pub use synthesis::SynthesisSpec;
pub use unit::{FeaturesUnit, LayerTarget, ScoreUnit, Screen};
