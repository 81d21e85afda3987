//! Errors and exit codes.

use std::fmt::Display;
use std::process::ExitCode;

/// How a command ends, other than well.
#[derive(Debug)]
pub enum Exit {
    /// The command line, a spec, a card or a data file cannot be used.
    Input(anyhow::Error),
    /// This machine lacks something.
    Machine(anyhow::Error),
    /// Done, but units failed or are missing; the output has said so.
    Partial,
    /// Stopped by the user; finished units are kept.
    Interrupted,
    /// The user looks no longer; the job goes on, and the output has said so.
    Detached,
    /// Nothing the user can mend.
    Internal(anyhow::Error),
}

/// Result of a command.
pub type Outcome<T = ()> = Result<T, Exit>;

impl Exit {
    /// The documented exit code.
    pub fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Internal(_) => 1,
            Self::Input(_) => 2,
            Self::Partial => 3,
            Self::Machine(_) => 4,
            Self::Interrupted | Self::Detached => 130,
        })
    }

    /// Unusable input, in one sentence.
    pub fn input(message: impl Display) -> Self {
        Self::Input(anyhow::anyhow!("{message}"))
    }

    /// What to print on standard error. Errors name their causes themselves.
    pub fn message(&self) -> Option<String> {
        match self {
            Self::Input(error) | Self::Machine(error) => Some(format!("error: {error}")),
            Self::Internal(error) => Some(format!("internal error: {error}")),
            Self::Interrupted => Some("interrupted: run the same command again to continue".to_owned()),
            Self::Partial | Self::Detached => None,
        }
    }
}

impl From<ventral_store::Error> for Exit {
    fn from(error: ventral_store::Error) -> Self {
        match error {
            ventral_store::Error::Conflict { .. } => Self::Internal(error.into()),
            _ => Self::Machine(error.into()),
        }
    }
}

impl From<ventral_plan::SpecError> for Exit {
    fn from(error: ventral_plan::SpecError) -> Self {
        Self::Input(error.into())
    }
}

impl From<ventral_plan::Error> for Exit {
    fn from(error: ventral_plan::Error) -> Self {
        match error {
            ventral_plan::Error::DoesNotFit { .. } => Self::Machine(error.into()),
            _ => Self::Input(error.into()),
        }
    }
}

impl From<ventral_data::Error> for Exit {
    fn from(error: ventral_data::Error) -> Self {
        Self::Input(error.into())
    }
}

impl From<ventral_models::Error> for Exit {
    fn from(error: ventral_models::Error) -> Self {
        match error {
            ventral_models::Error::Spill { .. } | ventral_models::Error::Memory { .. } => {
                Self::Machine(error.into())
            }
            _ => Self::Input(error.into()),
        }
    }
}

impl From<ventral_worker::Error> for Exit {
    fn from(error: ventral_worker::Error) -> Self {
        use ventral_worker::Error as Worker;
        match error {
            Worker::Interrupted => Self::Interrupted,
            Worker::Store(error) => error.into(),
            Worker::Plan(error) => error.into(),
            Worker::Model(error) => error.into(),
            other => Self::Input(other.into()),
        }
    }
}

impl From<ventral_aggregator::Error> for Exit {
    fn from(error: ventral_aggregator::Error) -> Self {
        use ventral_aggregator::Error as Aggregator;
        match error {
            Aggregator::Store(error) => error.into(),
            Aggregator::RepeatedNode { .. } => Self::Input(error.into()),
            other => Self::Internal(other.into()),
        }
    }
}
