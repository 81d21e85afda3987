//! Whose turn it is: deficit round robin over tenants, with weights.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

/// Largest weight of a tenant.
pub const MAX_WEIGHT: u32 = 1_000;

/// Bytes of blobs a tenant may keep in the store, unless the operator says otherwise: those of the largest bundle.
pub const MAX_STORED_BYTES: u64 = 1 << 40;

/// What a tenant may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Share of the admissions while others wait too, 1 to [`MAX_WEIGHT`].
    pub weight: u32,
    /// Most units in the queue or in the hands of workers.
    pub max_in_flight: u64,
    /// Most jobs that have not ended.
    pub max_jobs: u64,
    /// Most bytes of uploaded blobs in the store.
    pub max_stored_bytes: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Self { weight: 1, max_in_flight: 100_000, max_jobs: 1_000, max_stored_bytes: MAX_STORED_BYTES }
    }
}

/// Policies by tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policies {
    /// Of tenants that are not named.
    pub default: Policy,
    /// Of named tenants.
    pub tenant: BTreeMap<String, Policy>,
}

impl Policies {
    /// The policy of a tenant.
    pub fn of(&self, tenant: &str) -> Policy {
        self.tenant.get(tenant).copied().unwrap_or(self.default)
    }

    /// Reads the TOML of a tenants file: `[default]` and `[tenant.NAME]`, each with `weight`, `max_in_flight`, `max_jobs`,
    /// `max_stored_bytes`.
    ///
    /// # Errors
    /// The syntax error, or the tenant with a weight out of bounds.
    pub fn from_toml(text: &str) -> Result<Self, String> {
        let policies: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        let named = policies.tenant.iter().map(|(name, policy)| (name.as_str(), policy));
        for (name, policy) in named.chain([("default", &policies.default)]) {
            if !(1..=MAX_WEIGHT).contains(&policy.weight) {
                return Err(format!("tenant '{name}': weight {}; write 1 to {MAX_WEIGHT}", policy.weight));
            }
        }
        Ok(policies)
    }
}

/// Deficit round robin: a tenant has as many turns in a row as its weight, then the next one; one without work loses its turns.
#[derive(Debug, Default)]
pub struct Turns {
    rotation: VecDeque<(String, u32)>,
}

impl Turns {
    /// The tenant whose turn it is among those that `has_work`, or `None` if nobody has.
    pub fn next<'a>(
        &mut self,
        tenants: impl Iterator<Item = &'a str>,
        has_work: impl Fn(&str) -> bool,
        weight: impl Fn(&str) -> u32,
    ) -> Option<String> {
        for tenant in tenants {
            if !self.rotation.iter().any(|(known, _)| known == tenant) {
                self.rotation.push_back((tenant.to_owned(), 0));
            }
        }
        for _ in 0..self.rotation.len() {
            let (tenant, deficit) = self.rotation.pop_front()?;
            if !has_work(&tenant) {
                self.rotation.push_back((tenant, 0));
                continue;
            }
            let left = if deficit == 0 { weight(&tenant).max(1) } else { deficit } - 1;
            let entry = (tenant.clone(), left);
            if left == 0 {
                self.rotation.push_back(entry)
            } else {
                self.rotation.push_front(entry)
            }
            return Some(tenant);
        }
        None
    }
}
