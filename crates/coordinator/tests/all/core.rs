//! The core over a queue in memory and a store in a directory.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use ventral_coordinator::core::{
    Control, Core, Error, JobRequest, JobState, JobView, MAX_DRILL_UNITS, Policies, Submission, Turns,
    UnitPhase,
};
use ventral_queue::{Failure, FailureKind, Memory, Queue, SHARDS, TakeRequest, Timing, WorkerRecord};
use ventral_store::Store;

const PROFILE: &str = "test-k1";
const REAP: Duration = Duration::from_secs(5);

struct Bench {
    core: Core,
    queue: Arc<Memory>,
    stop: watch::Sender<bool>,
    _directory: tempfile::TempDir,
}

impl Bench {
    async fn start(policies: &str) -> Self {
        Self::start_with(policies, REAP).await
    }

    async fn start_with(policies: &str, reap: Duration) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let queue = Arc::new(Memory::new(Timing::default()));
        let store = Store::open(directory.path()).expect("a store");
        let core = Core::new(store, queue.clone(), Policies::from_toml(policies).expect("policies"), reap);
        let stop = drive(&core);
        let bench = Self { core, queue, stop, _directory: directory };
        bench.until(|core| core.ready().is_ok()).await;
        bench
    }

    async fn until(&self, condition: impl Fn(&Core) -> bool) {
        let met = async {
            while !condition(&self.core) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), met).await.expect("the condition is met in time");
    }

    async fn drill(&self, tenant: &str, name: &str, units: u32, priority: i32) -> JobView {
        self.core.submit(submission(tenant, name, units, priority)).await.expect("accepted")
    }

    /// Takes up to `count` units as a worker would; waits until there is at least one.
    async fn take(&self, count: usize) -> Vec<ventral_queue::Lease> {
        let request = TakeRequest {
            worker: "w".to_owned(),
            pools: vec!["drill".to_owned()],
            shards: (0..SHARDS).collect(),
            count,
        };
        for _ in 0..2_000 {
            match self.queue.take(&request).await {
                Ok(leases) if !leases.is_empty() => return leases,
                // An emptied queue is opened again by the coordinator.
                Ok(_) | Err(ventral_queue::Error::Lost) => {}
                Err(error) => panic!("{error}"),
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("no unit came");
    }

    async fn finish(&self, lease: &ventral_queue::Lease) {
        self.queue.finish(&lease.held, "w", b"{}").await.expect("a queue");
    }

    async fn view(&self, job: &str) -> JobView {
        self.core.get(None, job).await.expect("a job")
    }

    async fn ended(&self, job: &str) -> JobView {
        let mut views = self.core.subscribe(None, job).await.expect("a job");
        let end = async {
            while !views.borrow_and_update().state.is_final() {
                views.changed().await.expect("the core lives");
            }
        };
        tokio::time::timeout(Duration::from_secs(20), end).await.expect("the job ends");
        self.view(job).await
    }
}

fn drive(core: &Core) -> watch::Sender<bool> {
    let (stop, stopped) = watch::channel(false);
    let core = core.clone();
    tokio::spawn(async move { core.drive(stopped).await });
    stop
}

fn submission(tenant: &str, name: &str, units: u32, priority: i32) -> Submission {
    Submission {
        tenant: tenant.to_owned(),
        request_id: format!("{name}-request"),
        request: JobRequest::Drill { name: name.to_owned(), units, milliseconds: 0 },
        priority,
        profile: PROFILE.to_owned(),
        dry_run: false,
        submitted_ms: 1,
        traceparent: None,
    }
}

#[tokio::test]
async fn a_job_runs_to_its_end_and_counts_every_unit_once() {
    let bench = Bench::start("").await;
    let job = bench.drill("a", "small", 100, 0).await;
    assert_eq!(job.counts.total, 100);
    let mut done = 0;
    while done < 100 {
        for lease in bench.take(7).await {
            bench.finish(&lease).await;
            bench.finish(&lease).await;
            done += 1;
        }
    }
    let view = bench.ended(&job.id).await;
    assert_eq!((view.state, view.counts.done, view.counts.admitted), (JobState::Succeeded, 100, 0));
}

#[tokio::test]
async fn the_same_request_is_the_same_job_and_another_body_is_refused() {
    let bench = Bench::start("").await;
    let first = bench.drill("a", "twice", 5, 0).await;
    assert_eq!(bench.drill("a", "twice", 5, 0).await.id, first.id);
    assert_ne!(bench.drill("b", "twice", 5, 0).await.id, first.id, "request ids belong to a tenant");
    let other = bench.core.submit(submission("a", "twice", 6, 0)).await;
    assert!(matches!(other, Err(Error::RequestReused(_))), "{other:?}");
    assert!(matches!(bench.core.get(Some("b"), &first.id).await, Err(Error::NoJob(_))));
}

#[tokio::test]
async fn bounds_of_submissions() {
    let bench = Bench::start("[default]\nmax_jobs = 2\n").await;
    for (units, accepted) in [(0, false), (1, true), (MAX_DRILL_UNITS, true), (MAX_DRILL_UNITS + 1, false)] {
        let outcome = bench.core.submit(submission("a", &format!("d{units}"), units, 0)).await;
        assert_eq!(outcome.is_ok(), accepted, "{units}: {outcome:?}");
    }
    let third = bench.core.submit(submission("a", "third", 1, 0)).await;
    assert!(matches!(third, Err(Error::Limit(_))), "{third:?}");
    for priority in [-101, 101] {
        let outcome = bench.core.submit(submission("b", "p", 1, priority)).await;
        assert!(matches!(outcome, Err(Error::Invalid { field: "priority", .. })));
    }
    for name in ["", ".hidden", "a/b", "a b", &"x".repeat(65)] {
        let outcome = bench.core.submit(submission("b", name, 1, 0)).await;
        assert!(matches!(outcome, Err(Error::Invalid { field: "name", .. })), "{name}");
    }
}

#[tokio::test]
async fn weights_share_the_queue() {
    let bench = Bench::start("[tenant.a]\nweight = 3\n").await;
    bench.drill("a", "big", 20_000, 0).await;
    bench.drill("b", "big", 20_000, 0).await;
    // What was admitted before both were there does not count.
    for lease in bench.take(64).await {
        bench.finish(&lease).await;
    }
    let mut taken: BTreeMap<char, u32> = BTreeMap::new();
    let jobs: BTreeMap<String, char> = [("a", 'a'), ("b", 'b')]
        .map(|(tenant, mark)| {
            (ventral_coordinator::core::job_id(&submission(tenant, "big", 20_000, 0)), mark)
        })
        .into();
    let mut count = 0;
    while count < 2_000 {
        for lease in bench.take(16).await {
            count += 1;
            if count > 200 {
                *taken.entry(jobs[&lease.job]).or_default() += 1;
            }
            bench.finish(&lease).await;
        }
    }
    let ratio = f64::from(taken[&'a']) / f64::from(taken[&'b']);
    assert!((2.7..=3.3).contains(&ratio), "{taken:?}");
}

#[tokio::test]
async fn a_small_tenant_starts_within_one_window_of_a_large_one() {
    let bench = Bench::start("").await;
    bench.drill("large", "many", 100_000, 0).await;
    bench.take(1).await;
    let small = bench.drill("small", "few", 10, 0).await;
    let mut others = 0;
    loop {
        let lease = bench.take(1).await.remove(0);
        bench.finish(&lease).await;
        if lease.job == small.id {
            break;
        }
        others += 1;
    }
    assert!(others <= 2 * 64, "{others} units of the large tenant went first");
}

#[tokio::test]
async fn priority_goes_first_and_pause_stops_admission() {
    let bench = Bench::start("[default]\nmax_in_flight = 1\n").await;
    let low = bench.drill("a", "low", 3, -1).await;
    let lease = bench.take(1).await.remove(0);
    let high = bench.drill("a", "high", 2, 5).await;
    bench.finish(&lease).await;
    let next = bench.take(1).await.remove(0);
    assert_eq!(next.job, high.id);
    bench.core.control(Some("a"), &high.id, Control::Pause).await.expect("paused");
    bench.finish(&next).await;
    let after = bench.take(1).await.remove(0);
    assert_eq!(after.job, low.id, "the paused job admits nothing");
    assert_eq!(bench.view(&high.id).await.state, JobState::Paused);
    bench.core.control(Some("a"), &high.id, Control::Resume).await.expect("resumed");
    bench.finish(&after).await;
    assert_eq!(bench.take(1).await.remove(0).job, high.id);
}

#[tokio::test]
async fn a_cancelled_job_leaves_the_queue_and_can_be_retried() {
    let bench = Bench::start("").await;
    let job = bench.drill("a", "stop", 50, 0).await;
    let held = bench.take(1).await.remove(0);
    let view = bench.core.control(None, &job.id, Control::Cancel).await.expect("cancelled");
    assert_eq!(view.state, JobState::Cancelled);
    let depths = bench.queue.depths().await.expect("a queue");
    assert_eq!(depths.iter().map(|depth| depth.ready).sum::<u64>(), 0, "{depths:?}");
    bench.finish(&held).await;
    assert!(bench.core.control(None, &job.id, Control::Pause).await.is_err());
    bench.core.control(None, &job.id, Control::Retry).await.expect("retried");
    let mut done = 0;
    while done < 50 {
        for lease in bench.take(50).await {
            bench.finish(&lease).await;
            done += 1;
        }
    }
    assert_eq!(bench.ended(&job.id).await.state, JobState::Succeeded);
}

#[tokio::test]
async fn an_emptied_queue_and_a_new_coordinator_lose_nothing() {
    let bench = Bench::start("").await;
    let job = bench.drill("a", "kept", 200, 0).await;
    let first = bench.take(30).await;
    for lease in &first {
        bench.finish(lease).await;
    }
    bench.until_done(&job.id, first.len() as u64).await;
    bench.queue.wipe();
    for lease in bench.take(20).await {
        bench.finish(&lease).await;
    }
    // A second coordinator takes over when the first ends; it knows only the store and the queue.
    let second = Core::new(bench.core.store().clone(), bench.queue.clone(), Policies::default(), REAP);
    bench.stop.send(true).expect("it runs");
    bench.until(|core| core.ready().is_err()).await;
    bench.queue.wipe();
    let _stop = drive(&second);
    let bench = Bench { core: second, ..bench };
    bench.until(|core| core.ready().is_ok()).await;
    let mut done = 0;
    while done < 200 {
        for lease in bench.take(50).await {
            bench.finish(&lease).await;
            done += 1;
        }
    }
    let view = bench.ended(&job.id).await;
    assert_eq!((view.state, view.counts.done), (JobState::Succeeded, 200));
}

/// The generation stays, units go: nobody is told.
#[tokio::test]
async fn units_that_the_queue_has_lost_are_admitted_again() {
    let bench = Bench::start_with("", Duration::from_millis(20)).await;
    let job = bench.drill("a", "cut", 40, 0).await;
    let mut held = bench.take(20).await;
    while held.len() < 20 {
        held.extend(bench.take(20 - held.len()).await);
    }
    // One ends unheard, before the loss; its event must count.
    bench.finish(&held[0]).await;
    let lost: Vec<_> = held[1..].iter().map(|lease| lease.held.unit.clone()).collect();
    bench.queue.lose(&lost);
    for lease in &held[1..10] {
        bench.finish(lease).await;
    }
    let mut done = 1;
    while done < 40 {
        for lease in bench.take(50).await {
            bench.finish(&lease).await;
            done += 1;
        }
    }
    let view = bench.ended(&job.id).await;
    assert_eq!((view.state, view.counts.done), (JobState::Succeeded, 40));
}

#[tokio::test]
async fn a_coordinator_that_ends_gives_up_the_lead() {
    let bench = Bench::start("").await;
    assert!(!bench.queue.lead("another", 1_000).await.expect("a queue"));
    bench.stop.send(true).expect("it runs");
    let freed = async {
        while !bench.queue.lead("another", 1_000).await.expect("a queue") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), freed).await.expect("within less than the lead lasts");
}

/// With two slots a lone tenant has 30 s of work for each in the queue; beside another one, a few units.
#[tokio::test]
async fn the_window_is_seconds_of_work() {
    let bench = Bench::start("").await;
    let worker = WorkerRecord {
        name: "w".to_owned(),
        pools: vec!["drill".to_owned()],
        slots: 2,
        slot_bytes: 1 << 30,
        version: String::new(),
        leases: 0,
        trouble: String::new(),
        quarantined: false,
        draining: false,
        silent_ms: 0,
    };
    bench.queue.beat(&worker, &[]).await.expect("a queue");
    let mut drill = submission("a", "lone", 10_000, 0);
    drill.request = JobRequest::Drill { name: "lone".to_owned(), units: 10_000, milliseconds: 100 };
    bench.core.submit(drill).await.expect("accepted");
    let ready = async || bench.queue.depths().await.expect("a queue").first().map_or(0, |depth| depth.ready);
    let filled = async {
        while ready().await < 600 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), filled).await.expect("600 units of 0.1 s");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(ready().await, 600);
}

impl Bench {
    async fn until_done(&self, job: &str, done: u64) {
        for _ in 0..2_000 {
            if self.view(job).await.counts.done >= done {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{done} units were to be done: {:?}", self.view(job).await);
    }
}

#[tokio::test]
async fn a_dead_unit_fails_alone_and_every_unit_says_why_it_waits() {
    let bench = Bench::start("").await;
    let job = bench.drill("a", "mixed", 3, 0).await;
    let mut leases = bench.take(3).await;
    while leases.len() < 3 {
        leases.extend(bench.take(3 - leases.len()).await);
    }
    let failure = Failure {
        kind: FailureKind::Permanent,
        reason: "it does not like it".to_owned(),
        evidence: "exit status 7".to_owned(),
    };
    bench.queue.fail(&leases[0].held, "w", &failure).await.expect("a queue");
    let running = bench.core.explain(None, &leases[1].held.unit.0[..12]).await.expect("known");
    assert_eq!(running[0].state, UnitPhase::Running, "{running:?}");
    bench.finish(&leases[1]).await;
    bench.finish(&leases[2]).await;
    let view = bench.ended(&job.id).await;
    assert_eq!((view.state, view.counts.failed, view.counts.done), (JobState::Partial, 1, 2));
    let failed = bench.core.units(None, &job.id, Some(UnitPhase::Failed), 0, 10).await.expect("units");
    assert_eq!(failed.len(), 1);
    assert!(failed[0].detail.contains("does not like it"), "{failed:?}");
    assert_eq!(bench.core.dead(None, 10).await.expect("a queue").len(), 1);
}

/// The store fails at the moment when an event makes the coordinator write: nothing may be forgotten.
#[tokio::test]
async fn a_store_that_fails_at_the_end_of_a_job_does_not_lose_it() {
    let bench = Bench::start("").await;
    let job = bench.drill("a", "last", 2, 0).await;
    let mut leases = bench.take(2).await;
    while leases.len() < 2 {
        leases.extend(bench.take(1).await);
    }
    let place = bench._directory.path().join("jobs").join(&job.id);
    let aside = bench._directory.path().join("aside");
    std::fs::rename(&place, &aside).expect("movable");
    // A file where the directory was: nothing can be written below it.
    std::fs::write(&place, b"in the way").expect("writable");
    for lease in &leases {
        bench.finish(lease).await;
    }
    bench.until(|core| core.ready().is_err()).await;
    std::fs::remove_file(&place).expect("removable");
    std::fs::rename(&aside, &place).expect("movable");
    bench.until(|core| core.ready().is_ok()).await;
    // A drill has no results: it begins again.
    for _ in 0..2 {
        let lease = bench.take(1).await.remove(0);
        bench.finish(&lease).await;
    }
    assert_eq!(bench.ended(&job.id).await.state, JobState::Succeeded);
}

#[test]
fn turns_skip_those_without_work() {
    let mut turns = Turns::default();
    let mut next = |with: &[&str]| {
        let with: Vec<String> = with.iter().map(|t| (*t).to_owned()).collect();
        let weight = |tenant: &str| if tenant == "heavy" { 2 } else { 1 };
        turns.next(["heavy", "light"].into_iter(), |tenant| with.iter().any(|t| t == tenant), weight)
    };
    let both = ["heavy", "light"];
    let order: Vec<_> = (0..6).filter_map(|_| next(&both)).collect();
    assert_eq!(order, ["heavy", "heavy", "light", "heavy", "heavy", "light"]);
    assert_eq!(next(&["light"]).as_deref(), Some("light"));
    assert_eq!(next(&[]), None);
}
