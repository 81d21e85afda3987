//! Draining, health, and the units in hand.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};

use super::executor::{Stop, StopReason};
use super::health::Health;
use super::machine::cause_of;
use super::{Config, Error};
use crate::types::{BeatReply, Error as QueueError, LeaseRef, Loss};

/// A handle on a consumer: asks it to drain, and knows how it is.
#[derive(Debug, Clone)]
pub struct Control(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    phase: watch::Sender<Phase>,
    units: Mutex<HashMap<LeaseRef, Running>>,
    contact: Mutex<Contact>,
    health: Mutex<Health>,
    changed: Notify,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Serving,
    Draining,
    Ended,
}

#[derive(Debug)]
struct Running {
    slot: usize,
    stop: watch::Sender<Option<StopReason>>,
    expired: bool,
}

#[derive(Debug)]
struct Contact {
    at: Instant,
    reachable: bool,
    lost: bool,
    last_error: String,
}

impl Default for Control {
    fn default() -> Self {
        let contact =
            Contact { at: Instant::now(), reachable: false, lost: false, last_error: "none".to_owned() };
        Self(Arc::new(Shared {
            phase: watch::Sender::new(Phase::Serving),
            units: Mutex::new(HashMap::new()),
            contact: Mutex::new(contact),
            health: Mutex::default(),
            changed: Notify::new(),
        }))
    }
}

impl Control {
    /// Asks the consumer to take nothing more, to finish or give back what it has, and to end.
    pub fn drain(&self) {
        self.0.phase.send_if_modified(|phase| {
            let serving = *phase == Phase::Serving;
            if serving {
                tracing::info!("draining: nothing more is taken");
                *phase = Phase::Draining;
            }
            serving
        });
    }

    /// Whether it drains or has ended.
    pub fn is_draining(&self) -> bool {
        *self.0.phase.borrow() >= Phase::Draining
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        *self.0.phase.borrow() == Phase::Ended
    }

    /// Whether the queue answered last time, the consumer serves, and nothing ails its machine.
    ///
    /// # Errors
    /// Why it cannot do its work.
    pub fn ready(&self) -> Result<(), String> {
        if self.is_draining() {
            return Err("it drains".to_owned());
        }
        if !self.contact().reachable {
            return Err(format!("the queue does not answer: {}", self.contact().last_error));
        }
        let trouble = self.health().trouble();
        if trouble.is_empty() { Ok(()) } else { Err(trouble) }
    }

    /// Units in hand.
    pub fn busy(&self) -> usize {
        self.units().len()
    }

    /// How long ago the queue was reached.
    pub fn since_contact(&self) -> Duration {
        self.contact().at.elapsed()
    }

    /// The machine failed a unit.
    pub(super) fn fault(&self, reason: &str) {
        let mut health = self.health();
        health.fault(Instant::now(), reason);
        metrics::counter!("ventral_machine_faults_total", "cause" => cause_of(reason)).increment(1);
        self.tell_of(&health);
    }

    /// A unit succeeded.
    pub(super) fn succeeded(&self) {
        self.health().succeeded();
    }

    /// What a test of the machine has shown.
    pub(super) fn tested(&self, outcome: Result<(), String>) {
        let mut health = self.health();
        match outcome {
            Ok(()) => health.passed(),
            Err(reason) => health.refused(Instant::now(), &reason),
        }
        self.tell_of(&health);
    }

    fn tell_of(&self, health: &Health) {
        metrics::gauge!("ventral_quarantined").set(if health.is_quarantined() { 1.0 } else { 0.0 });
        match health.trouble() {
            trouble if trouble.is_empty() => {
                tracing::info!("the machine passed its test: units are taken again")
            }
            trouble => tracing::error!(trouble, "the machine fails units"),
        }
    }

    /// What ails the machine, and whether it is quarantined.
    pub(super) fn trouble(&self) -> (String, bool) {
        let health = self.health();
        (health.trouble(), health.is_quarantined())
    }

    /// How long to take nothing.
    pub(super) fn rest(&self) -> Duration {
        self.health().pause(Instant::now())
    }

    pub(super) fn end(&self) {
        self.0.phase.send_replace(Phase::Ended);
    }

    pub(super) fn touch(&self) {
        self.contact().at = Instant::now();
    }

    /// The queue answered.
    pub(super) fn reached(&self) {
        let mut contact = self.contact();
        if !contact.reachable || contact.lost {
            tracing::info!("the queue answers");
        }
        (contact.at, contact.reachable, contact.lost) = (Instant::now(), true, false);
    }

    /// The queue did not do what it was asked for. One that is empty is within reach: the coordinator will rebuild it.
    pub(super) fn failed(&self, error: &QueueError) {
        let mut contact = self.contact();
        let lost = matches!(error, QueueError::Lost);
        if contact.last_error != error.to_string() || (contact.reachable && !lost) || contact.lost != lost {
            tracing::warn!(%error, "the queue fails");
        }
        contact.last_error = error.to_string();
        (contact.reachable, contact.lost) = (lost, lost);
        if lost {
            contact.at = Instant::now();
        }
    }

    pub(super) fn check(&self, give_up: Duration) -> Result<(), Error> {
        let contact = self.contact();
        let silent = contact.at.elapsed();
        if silent < give_up {
            return Ok(());
        }
        Err(Error::GaveUp { seconds: silent.as_secs(), last: contact.last_error.clone() })
    }

    /// Puts a unit into a free slot.
    pub(super) fn begin(&self, held: &LeaseRef) -> (usize, Stop) {
        let (sender, receiver) = watch::channel(None);
        let mut units = self.units();
        let free = |slot: &usize| units.values().all(|running| running.slot != *slot);
        let slot = (0..=units.len()).find(free).unwrap_or(units.len());
        units.insert(held.clone(), Running { slot, stop: sender, expired: false });
        metrics::gauge!("ventral_slots_busy").set(units.len() as f64);
        (slot, Stop(receiver))
    }

    pub(super) fn finished(&self, held: &LeaseRef) {
        let mut units = self.units();
        units.remove(held);
        metrics::gauge!("ventral_slots_busy").set(units.len() as f64);
        drop(units);
        self.0.changed.notify_waiters();
    }

    pub(super) fn leases(&self) -> Vec<LeaseRef> {
        self.units().keys().cloned().collect()
    }

    pub(super) fn stop_all(&self, reason: StopReason) {
        for running in self.units().values() {
            stop(running, reason);
        }
    }

    /// Deals with the reply to a beat.
    pub(super) fn heard(&self, reply: &BeatReply, config: &Config) {
        for (held, loss) in &reply.lost {
            let mut units = self.units();
            let Some(running) = units.get_mut(held) else { continue };
            let news = match loss {
                // It may still succeed first: a late success counts.
                Loss::Expired => !std::mem::replace(&mut running.expired, true),
                Loss::Cancelled => stop(running, StopReason::Cancelled),
                Loss::Finished => stop(running, StopReason::FinishedElsewhere),
            };
            if news {
                let cause = cause(*loss);
                let (unit, epoch, worker) = (&held.unit, held.epoch, &config.worker);
                tracing::warn!(%unit, epoch, worker, cause, "a lease is lost");
                metrics::counter!("ventral_lease_losses_total", "cause" => cause).increment(1);
            }
        }
        if reply.drain {
            self.drain();
        }
    }

    /// Waits until a unit has ended, the consumer is to drain, or `limit` is over.
    pub(super) async fn changed(&self, limit: Duration) {
        let mut phase = self.0.phase.subscribe();
        let _ = tokio::time::timeout(limit, async {
            tokio::select! {
                () = self.0.changed.notified() => {}
                _ = phase.changed() => {}
            }
        })
        .await;
    }

    /// Waits until the consumer is to drain, or `limit` is over.
    pub(super) async fn drained(&self, limit: Duration) {
        let mut phase = self.0.phase.subscribe();
        let _ = tokio::time::timeout(limit, phase.wait_for(|phase| *phase >= Phase::Draining)).await;
    }

    fn units(&self) -> MutexGuard<'_, HashMap<LeaseRef, Running>> {
        self.0.units.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.0.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn contact(&self) -> MutexGuard<'_, Contact> {
        self.0.contact.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks a unit to stop, unless it was asked before.
fn stop(running: &Running, reason: StopReason) -> bool {
    running.stop.send_if_modified(|asked| {
        let first = asked.is_none();
        if first {
            *asked = Some(reason);
        }
        first
    })
}

fn cause(loss: Loss) -> &'static str {
    match loss {
        Loss::Expired => "expired",
        Loss::Cancelled => "cancelled",
        Loss::Finished => "finished_elsewhere",
    }
}
