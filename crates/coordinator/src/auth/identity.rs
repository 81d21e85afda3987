use serde::Deserialize;

/// What a caller may do; each role may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Look at the tenant's jobs and results.
    Reader,
    /// Also submit and steer the tenant's jobs.
    Submitter,
    /// Also see and steer the jobs of every tenant, drain workers, run drills.
    Operator,
}

impl Role {
    /// Its name in files and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Submitter => "submitter",
            Self::Operator => "operator",
        }
    }
}

/// A caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Who, for logs.
    pub name: String,
    /// Whose jobs.
    pub tenant: String,
    /// What they may do.
    pub role: Role,
}

impl Identity {
    /// The one caller of a coordinator that has no tokens: only this machine can reach it, or the operator said that this is wanted.
    pub fn local() -> Self {
        Self { name: "local".to_owned(), tenant: "local".to_owned(), role: Role::Operator }
    }

    /// The tenant whose jobs the caller sees; `None` for all.
    pub fn scope(&self) -> Option<&str> {
        (self.role < Role::Operator).then_some(self.tenant.as_str())
    }
}
