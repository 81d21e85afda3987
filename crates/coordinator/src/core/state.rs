//! All jobs in memory, and what of them is in the queue. Pure: no clock, no store, no queue.

use std::collections::{BTreeMap, HashMap};

use ventral_plan::UnitReport;
use ventral_queue::{Entry, Event, Generation, Happening, UnitId, WorkerRecord};

use super::fair::{Policies, Turns};
use super::job::Job;
use super::units::{UnitRef, entry, predicted_seconds};
use super::window::Loads;
use super::{JobState, PoolView};

/// All jobs, and what of them is in the queue.
#[derive(Debug, Default)]
pub struct State {
    /// Jobs by id.
    pub jobs: BTreeMap<String, Job>,
    /// The queue's generation that the in-flight units belong to.
    pub generation: Option<Generation>,
    /// Workers, as last heard of.
    pub workers: Vec<WorkerRecord>,
    /// What tenants may use.
    pub policies: Policies,
    /// Unix time in milliseconds, as last told.
    pub now_ms: u64,
    in_flight: HashMap<UnitId, InFlight>,
    loads: Loads,
    turns: HashMap<String, Turns>,
    served: u64,
}

#[derive(Debug)]
struct InFlight {
    pool: String,
    predicted_seconds: Option<f64>,
    /// What it counts in the window of its pool.
    work_ms: u64,
    /// When it was admitted (Unix time in milliseconds).
    since_ms: u64,
    waiters: Vec<(String, UnitRef)>,
}

/// A unit that ended without being a unit of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageEnd {
    /// The job.
    pub job: String,
    /// The unit: planning or assembling.
    pub unit: UnitRef,
    /// `None` when it succeeded.
    pub failure: Option<String>,
}

impl State {
    /// No jobs yet.
    pub fn new(policies: Policies) -> Self {
        Self { policies, ..Self::default() }
    }

    /// Units in flight of a tenant.
    pub fn tenant_in_flight(&self, tenant: &str) -> u64 {
        self.jobs.values().filter(|job| job.submission.tenant == tenant).map(|job| job.in_flight).sum()
    }

    /// Slots that serve a pool.
    pub fn slots(&self, pool: &str) -> u64 {
        let serves = |worker: &&WorkerRecord| worker.pools.iter().any(|name| name == pool);
        self.workers.iter().filter(serves).map(|worker| u64::from(worker.slots)).sum()
    }

    /// Units in flight.
    pub fn in_flight(&self) -> Vec<UnitId> {
        self.in_flight.keys().cloned().collect()
    }

    /// Takes at most `limit` units for admission: per pool up to its window, tenants in turn by weight, in a tenant the highest priority
    /// first and then the job served longest ago.
    pub fn select(&mut self, limit: usize) -> Vec<Entry> {
        let mut entries = Vec::new();
        let mut in_flight: HashMap<String, u64> = HashMap::new();
        for job in self.jobs.values() {
            *in_flight.entry(job.submission.tenant.clone()).or_default() += job.in_flight;
        }
        let mut pools: Vec<String> =
            self.jobs.values().flat_map(|j| j.wanted_pools().map(|(p, _)| p.clone())).collect();
        pools.sort_unstable();
        pools.dedup();
        for pool in pools {
            let slots = self.slots(&pool);
            let wants = |job: &&Job| job.wanted_pools().any(|(name, _)| *name == pool);
            let mut tenants = self.jobs.values().filter(wants).map(|job| &job.submission.tenant);
            let first = tenants.next();
            let alone = tenants.all(|tenant| Some(tenant) == first);
            let mut turns = self.turns.remove(&pool).unwrap_or_default();
            while entries.len() < limit && self.loads.has_room(&pool, slots, alone) {
                let Some(id) = self.next_job(&pool, &mut turns, &in_flight) else { break };
                let Some(found) = self.admit_next(&id, &pool, &mut in_flight) else { break };
                entries.extend(found);
            }
            self.turns.insert(pool, turns);
        }
        entries
    }

    fn next_job(&self, pool: &str, turns: &mut Turns, in_flight: &HashMap<String, u64>) -> Option<String> {
        let mut by_tenant: BTreeMap<&str, Vec<&Job>> = BTreeMap::new();
        for job in self.jobs.values().filter(|job| job.wanted_pools().any(|(name, _)| name == pool)) {
            by_tenant.entry(&job.submission.tenant).or_default().push(job);
        }
        let used = |tenant: &str| in_flight.get(tenant).copied().unwrap_or(0);
        let may = |tenant: &str| {
            by_tenant.contains_key(tenant) && used(tenant) < self.policies.of(tenant).max_in_flight
        };
        let tenant = turns.next(by_tenant.keys().copied(), may, |tenant| self.policies.of(tenant).weight)?;
        let first = |job: &&&Job| (std::cmp::Reverse(job.submission.priority), job.served);
        by_tenant.get(tenant.as_str())?.iter().min_by_key(first).map(|job| job.id.clone())
    }

    /// The next unit of a job; no entry when another job has the same unit in the queue already.
    fn admit_next(
        &mut self,
        id: &str,
        pool: &str,
        in_flight: &mut HashMap<String, u64>,
    ) -> Option<Option<Entry>> {
        self.served += 1;
        let job = self.jobs.get_mut(id)?;
        job.served = self.served;
        let unit = job.next_ready(pool)?;
        *in_flight.entry(job.submission.tenant.clone()).or_default() += 1;
        let entry = entry(id, job.control.round, &job.submission, &job.body, unit);
        let waiter = (id.to_owned(), unit);
        if let Some(known) = self.in_flight.get_mut(&entry.unit) {
            known.waiters.push(waiter);
            return Some(None);
        }
        let predicted_seconds = predicted_seconds(&job.body, unit);
        let work_ms = self.loads.add(pool, predicted_seconds);
        let (pool, since_ms, waiters) = (pool.to_owned(), self.now_ms, vec![waiter]);
        let held = InFlight { pool, predicted_seconds, work_ms, since_ms, waiters };
        self.in_flight.insert(entry.unit.clone(), held);
        Some(Some(entry))
    }

    /// Entries that are not in the queue: they are selected again. The number of those that were believed to be there.
    pub fn put_back(&mut self, units: &[UnitId]) -> usize {
        let mut number = 0;
        for held in units.iter().filter_map(|unit| self.forget(unit)).collect::<Vec<_>>() {
            number += 1;
            for (job, unit) in held.waiters {
                if let Some(job) = self.jobs.get_mut(&job) {
                    job.unadmit(unit);
                }
            }
        }
        number
    }

    /// The queue is empty: everything in flight is to be admitted again.
    pub fn lost_queue(&mut self) {
        let units: Vec<UnitId> = self.in_flight.keys().cloned().collect();
        self.put_back(&units);
        self.turns.clear();
    }

    fn forget(&mut self, unit: &UnitId) -> Option<InFlight> {
        let held = self.in_flight.remove(unit)?;
        self.loads.remove(&held.pool, held.work_ms);
        Some(held)
    }

    /// Takes note of an event; returns the planning and assembling units that ended by it.
    pub fn apply(&mut self, event: &Event) -> Vec<StageEnd> {
        let mut ends = Vec::new();
        let Some(held) = self.forget(&event.unit) else { return ends };
        let report = match &event.what {
            Happening::Finished { report } => serde_json::from_slice(report).unwrap_or_default(),
            _ => UnitReport::default(),
        };
        self.loads.observe(&held.pool, held.predicted_seconds, &report);
        for (id, unit) in held.waiters {
            let Some(job) = self.jobs.get_mut(&id) else { continue };
            match (unit, &event.what) {
                (UnitRef::Body(index), Happening::Finished { .. }) => job.finished(index, &report),
                (UnitRef::Body(index), Happening::Died { failure }) => job.died(index, &failure.reason),
                (UnitRef::Body(index), Happening::NeedsInput { failure }) => {
                    job.needs_input(index, &failure.reason);
                }
                (unit, what) => {
                    job.in_flight = job.in_flight.saturating_sub(1);
                    let failure = match what {
                        Happening::Finished { .. } => None,
                        Happening::Died { failure } | Happening::NeedsInput { failure } => {
                            Some(failure.reason.clone())
                        }
                    };
                    ends.push(StageEnd { job: id, unit, failure });
                }
            }
        }
        ends
    }

    /// Jobs whose units have all ended.
    pub fn settled(&self) -> Vec<String> {
        self.jobs.values().filter(|job| job.is_settled()).map(|job| job.id.clone()).collect()
    }

    /// Takes a job's units out of flight; returns those that no other job waits for.
    pub fn withdraw(&mut self, id: &str) -> Vec<UnitId> {
        let mut alone = Vec::new();
        for (unit, held) in &mut self.in_flight {
            let before = held.waiters.len();
            held.waiters.retain(|(job, _)| job != id);
            if before > 0 && held.waiters.is_empty() {
                alone.push(unit.clone());
            }
        }
        for unit in &alone {
            self.forget(unit);
        }
        if let Some(job) = self.jobs.get_mut(id) {
            job.in_flight = 0;
        }
        alone
    }

    /// The waiters of a unit in flight.
    pub fn holders(&self, unit: &UnitId) -> Option<&[(String, UnitRef)]> {
        self.in_flight.get(unit).map(|held| held.waiters.as_slice())
    }

    /// Milliseconds since the oldest unit in flight was admitted; 0 without any.
    pub fn oldest_ms(&self) -> u64 {
        let oldest = self.in_flight.values().map(|held| held.since_ms).min();
        oldest.map_or(0, |since_ms| self.now_ms.saturating_sub(since_ms))
    }

    /// Units that have not ended, by tenant; 0 for tenants whose jobs have all ended.
    pub fn open_units(&self) -> BTreeMap<&str, u64> {
        let mut tenants = BTreeMap::new();
        for job in self.jobs.values() {
            let counts = job.counts();
            let open = if job.state().is_final() { 0 } else { counts.waiting + counts.admitted };
            *tenants.entry(job.submission.tenant.as_str()).or_insert(0) += open;
        }
        tenants
    }

    /// Jobs of a tenant that have not ended.
    pub fn open_jobs(&self, tenant: &str) -> u64 {
        let open = |job: &&Job| job.submission.tenant == tenant && !job.state().is_final();
        self.jobs.values().filter(open).count() as u64
    }

    /// Units per pool that wait for admission, and predicted seconds of all that is not finished.
    pub fn backlog(&self) -> BTreeMap<String, PoolView> {
        let mut pools: BTreeMap<String, PoolView> = BTreeMap::new();
        for worker in &self.workers {
            for name in &worker.pools {
                let pool = pools.entry(name.clone()).or_insert_with(|| PoolView::empty(name));
                pool.workers += 1;
                pool.slots += u64::from(worker.slots);
            }
        }
        for job in self.jobs.values().filter(|job| !matches!(job.state(), JobState::Paused)) {
            for (name, count) in job.wanted_pools() {
                pools.entry(name.clone()).or_insert_with(|| PoolView::empty(name)).waiting += count as u64;
            }
            for (name, seconds) in job.seconds_left() {
                pools.entry(name.clone()).or_insert_with(|| PoolView::empty(&name)).backlog_seconds +=
                    seconds;
            }
        }
        pools
    }
}
