//! The supervisor with a queue in memory and slots that only pretend: a shell script answers.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use ventral_plan::pool::DRILL_POOL;
use ventral_plan::{Assignment, Work};
use ventral_queue::consumer::{self, Config, Connect, Control, Error, ranked_shards};
use ventral_queue::{
    Clock, Cursor, Entry, FailureKind, Finished, Happening, Memory, Queue, SHARDS, TakeRequest, Timing,
    UnitId, UnitState, UnitStatus,
};
use ventral_worker::service::{SlotCommand, SlotExecutor, TimeLimits};

const SOON: Duration = Duration::from_secs(60);
const LEASE_MS: u64 = 10_000;

/// Answers every unit; `die` and `hang` in its name say how. `hang` ends when the file `go` appears.
const SCRIPT: &str = r#"
while read -r line; do
  case "$line" in
    *'"unit":"die'*) echo "last words" >&2; kill -9 $$ ;;
    *'"unit":"hang'*) while [ ! -e "$1/go" ]; do sleep 0.05; done ;;
    *'"unit":"babble'*) echo "this is no answer"; continue ;;
    *'"unit":"full'*) if [ ! -e "$1/go" ]; then
      echo '{"outcome":"failed","kind":"machine","reason":"the disk is full: x","alarm":false}'; continue
    fi ;;
    *'"unit":"broken'*) exit 127 ;;
    *'"unit":"probe"'*) [ -e "$1/go" ] || exit 4 ;;
    *'"unit":"no'*) echo '{"outcome":"failed","kind":"permanent","reason":"never","alarm":true}'; continue ;;
  esac
  echo '{"outcome":"finished","report":{"seconds":1.0,"peak_bytes":null,"cached":0,"computed":1}}'
done
"#;

struct Lab {
    queue: Arc<Memory>,
    clock: Clock,
    control: Control,
    dir: tempfile::TempDir,
    limit: Duration,
}

impl Lab {
    async fn new() -> Self {
        let clock = Clock::manual(1_000);
        let timing = Timing { lease_ms: LEASE_MS, backoff_ms: 10, max_backoff_ms: 10 };
        let queue = Arc::new(Memory::with_clock(timing, clock.clone()));
        queue.open().await.expect("a queue");
        let dir = tempfile::tempdir().expect("a directory");
        Self { queue, clock, control: Control::default(), dir, limit: Duration::from_secs(600) }
    }

    fn connect(&self) -> Connect {
        let queue = self.queue.clone();
        Arc::new(move || {
            let queue = queue.clone();
            Box::pin(async move { Ok(queue as Arc<dyn Queue>) })
        })
    }

    fn serve(&self, slots: usize, change: impl Fn(&mut Config)) -> JoinHandle<Result<(), Error>> {
        let arguments = ["-c", SCRIPT, "slot"].map(OsString::from);
        let mut arguments: Vec<OsString> = arguments.into();
        arguments.push(self.dir.path().into());
        let command = SlotCommand { program: PathBuf::from("/bin/sh"), arguments };
        let mut config = Config::new("w".to_owned(), vec![DRILL_POOL.to_owned()]);
        config.slots = slots;
        (config.beat, config.reap) = (Duration::from_millis(20), Duration::from_millis(20));
        config.longest_idle = Duration::from_millis(40);
        change(&mut config);
        let limits = TimeLimits { least: self.limit, ..TimeLimits::default() };
        let executor = Arc::new(SlotExecutor::new(command, slots).with_limits(limits));
        tokio::spawn(consumer::run(config, self.connect(), executor, self.control.clone()))
    }

    async fn admit(&self, unit: &str) {
        self.admit_to(DRILL_POOL, unit).await;
    }

    async fn admit_to(&self, pool: &str, unit: &str) {
        let work = Work::Drill { milliseconds: 0 };
        let assignment = Assignment { job: "j".to_owned(), work, traceparent: None, predicted_seconds: None };
        let entry = Entry {
            unit: UnitId(unit.to_owned()),
            pool: pool.to_owned(),
            shard: 0,
            job: "j".to_owned(),
            payload: serde_json::to_vec(&assignment).expect("plain data"),
        };
        self.queue.admit(&[entry]).await.expect("admitted");
    }

    async fn status(&self, unit: &str) -> Option<UnitStatus> {
        self.queue.status(&[UnitId(unit.to_owned())]).await.expect("a status").remove(0)
    }

    async fn finished(&self, unit: &str) -> bool {
        let events = self.queue.events(&Cursor::start(), 100).await.expect("events");
        let about = |event: &ventral_queue::Event| {
            event.unit.0 == unit && matches!(event.what, Happening::Finished { .. })
        };
        events.iter().any(|(_, event)| about(event))
    }

    /// Waits for a condition while the queue's time goes on in small steps.
    async fn until(&self, what: &str, condition: impl AsyncFn(&Self) -> bool) {
        let begin = Instant::now();
        while !condition(self).await {
            assert!(begin.elapsed() < SOON, "{what}: not within {SOON:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
            self.clock.advance(20);
        }
    }

    async fn leased(&self, unit: &str) {
        self.until(&format!("{unit} is leased"), async |lab| {
            lab.status(unit).await.is_some_and(|status| status.state == UnitState::Leased)
        })
        .await;
    }

    async fn leased_by(&self, unit: &str, worker: &str) {
        self.until(&format!("{worker} holds {unit}"), async |lab| {
            lab.status(unit).await.is_some_and(|status| status.worker.as_deref() == Some(worker))
        })
        .await;
    }

    fn go(&self) {
        std::fs::write(self.dir.path().join("go"), "").expect("writable");
    }

    async fn drain(&self, serving: JoinHandle<Result<(), Error>>) {
        self.control.drain();
        serving.await.expect("no panic").expect("a clean end");
    }
}

fn alive(pattern: &Path) -> bool {
    let pattern = pattern.display().to_string();
    let processes = std::fs::read_dir("/proc").expect("processes").flatten();
    processes.map(|process| std::fs::read(process.path().join("cmdline")).unwrap_or_default()).any(
        |command| {
            let command = String::from_utf8_lossy(&command).replace('\0', " ");
            command.contains("slot") && command.contains(&pattern)
        },
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn units_that_kill_their_slot_are_dead_after_three_crashes_while_others_go_on() {
    let lab = Lab::new().await;
    for unit in ["die", "good-1", "babble", "no", "good-2"] {
        lab.admit(unit).await;
    }
    let serving = lab.serve(1, |_| {});
    lab.until("all are done or dead", async |lab| {
        let dead = lab.queue.dead(None, 10).await.expect("dead units");
        dead.len() == 3 && lab.finished("good-1").await && lab.finished("good-2").await
    })
    .await;
    let crashed = lab.status("die").await.expect("known");
    assert_eq!((crashed.crashes, crashed.attempts), (3, 0));
    let failure = crashed.failure.expect("a failure");
    assert!(failure.reason.contains("signal 9") && failure.evidence.starts_with("last words"), "{failure:?}");
    let babbling = lab.status("babble").await.expect("known");
    assert_eq!(babbling.crashes, 3, "a slot that talks nonsense has crashed");
    let refused = lab.status("no").await.expect("known").failure.expect("a failure");
    assert_eq!((refused.kind, refused.reason.as_str()), (FailureKind::Permanent, "never"));
    lab.drain(serving).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_success_of_a_lost_lease_counts() {
    let lab = Lab::new().await;
    lab.admit("hang").await;
    // It beats too seldom to keep its lease.
    let serving = lab.serve(1, |config| config.beat = Duration::from_secs(3600));
    lab.leased("hang").await;
    lab.clock.advance(LEASE_MS + 1);
    lab.queue.reap().await.expect("reaped");
    assert_eq!(lab.status("hang").await.expect("known").crashes, 1, "the lease is over");
    lab.go();
    lab.until("the late success is recorded", async |lab| lab.finished("hang").await).await;
    lab.drain(serving).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_that_another_worker_finished_is_stopped() {
    let lab = Lab::new().await;
    lab.admit("hang").await;
    let request = TakeRequest {
        worker: "other".to_owned(),
        pools: vec![DRILL_POOL.to_owned()],
        shards: vec![0],
        count: 1,
    };
    let taken = lab.queue.take(&request).await.expect("a lease");
    lab.clock.advance(LEASE_MS + 1);
    let serving = lab.serve(1, |_| {});
    lab.leased_by("hang", "w").await;
    let late = lab.queue.finish(&taken[0].held, "other", b"{}").await.expect("finished");
    assert_eq!(late, Finished::Late);
    lab.until("the slot is free", async |lab| lab.control.busy() == 0).await;
    lab.admit("good").await;
    lab.until("the next unit is computed", async |lab| lab.finished("good").await).await;
    lab.drain(serving).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_unit_is_stopped_and_leaves_the_queue() {
    let lab = Lab::new().await;
    lab.admit("hang").await;
    let serving = lab.serve(1, |_| {});
    lab.leased("hang").await;
    lab.queue.cancel(&[UnitId("hang".to_owned())]).await.expect("cancelled");
    lab.until("it is gone", async |lab| lab.control.busy() == 0 && lab.status("hang").await.is_none()).await;
    lab.drain(serving).await;
    assert!(!alive(lab.dir.path()), "no slot outlives its supervisor");
}

#[tokio::test(flavor = "multi_thread")]
async fn draining_finishes_what_can_be_finished_and_gives_back_the_rest() {
    let lab = Lab::new().await;
    lab.admit("hang-1").await;
    let serving = lab.serve(1, |config| config.drain = Duration::from_secs(60));
    lab.leased("hang-1").await;
    lab.admit("good").await;
    assert!(lab.queue.drain("w").await.expect("asked"), "asked through the queue");
    lab.until("it drains", async |lab| lab.control.is_draining()).await;
    lab.go();
    serving.await.expect("no panic").expect("a clean end");
    assert!(lab.finished("hang-1").await, "there was time to finish");
    assert_eq!(lab.status("good").await.expect("known").state, UnitState::Ready, "nothing more is taken");

    let lab = Lab::new().await;
    lab.admit("hang-2").await;
    let serving = lab.serve(1, |config| config.drain = Duration::ZERO);
    lab.leased("hang-2").await;
    lab.drain(serving).await;
    let status = lab.status("hang-2").await.expect("known");
    assert_eq!((status.state, status.evictions, status.crashes), (UnitState::Ready, 1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_was_emptied_is_waited_for() {
    let lab = Lab::new().await;
    lab.admit("hang").await;
    let serving = lab.serve(2, |config| config.give_up = Duration::from_millis(400));
    lab.leased("hang").await;
    lab.queue.wipe();
    tokio::time::sleep(Duration::from_millis(900)).await;
    assert_eq!(lab.control.busy(), 1, "it goes on computing, longer than it waits for a queue out of reach");
    lab.queue.open().await.expect("a queue");
    lab.go();
    lab.admit("good").await;
    lab.until("the next unit is computed", async |lab| lab.finished("good").await).await;
    lab.drain(serving).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_out_of_reach_ends_the_worker_after_the_stated_time() {
    let unreachable: Connect = Arc::new(|| {
        Box::pin(async { Err(ventral_queue::Error::Unavailable("connection refused".to_owned())) })
    });
    let mut config = Config::new("w".to_owned(), vec![DRILL_POOL.to_owned()]);
    config.give_up = Duration::from_millis(200);
    let command = SlotCommand { program: PathBuf::from("/bin/false"), arguments: Vec::new() };
    let executor = Arc::new(SlotExecutor::new(command, 1));
    let ended = tokio::time::timeout(SOON, consumer::run(config, unreachable, executor, Control::default()));
    let error = ended.await.expect("an end").expect_err("an error");
    assert!(error.to_string().contains("connection refused"), "{error}");
}

#[tokio::test]
async fn a_pool_of_errands_goes_on_beside_one_that_is_never_empty() {
    let lab = Lab::new().await;
    for unit in 0..50 {
        lab.admit_to("job", &format!("unit-{unit}")).await;
    }
    lab.admit("errand").await;
    let serving = lab.serve(1, |config| config.pools.insert(0, "job".to_owned()));
    lab.until("the last unit ends", async |lab| lab.finished("unit-49").await).await;
    let events = lab.queue.events(&Cursor::start(), 100).await.expect("events");
    let place = events.iter().position(|(_, event)| event.unit.0 == "errand");
    assert!(place.is_some_and(|place| place < 10), "{place:?}");
    lab.drain(serving).await;
}

#[test]
fn every_worker_has_its_own_order_of_all_shards() {
    let (a, b) = (ranked_shards("a"), ranked_shards("b"));
    assert_ne!(a, b);
    assert_eq!(a, ranked_shards("a"), "and keeps it");
    let mut sorted = a;
    sorted.sort_unstable();
    assert_eq!(sorted, (0..SHARDS).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_that_hangs_is_ended_and_says_how_long_it_ran() {
    let mut lab = Lab::new().await;
    lab.limit = Duration::from_secs(1);
    for unit in ["hang", "good"] {
        lab.admit(unit).await;
    }
    let serving = lab.serve(1, |_| {});
    lab.until("it failed once", async |lab| {
        lab.status("hang").await.is_some_and(|status| status.attempts == 1)
    })
    .await;
    let status = lab.status("hang").await.expect("it is in the queue");
    let failure = status.failure.expect("a failure");
    assert_eq!((failure.kind, status.crashes), (FailureKind::Attempt, 0));
    assert_eq!(failure.reason, "ran 1 s, limit 1 s, predicted 0.0 s: it was ended");
    lab.until("it is given up", async |lab| lab.queue.dead(None, 10).await.expect("dead units").len() == 1)
        .await;
    lab.until("the other is done", async |lab| lab.finished("good").await).await;
    lab.drain(serving).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_fails_is_quarantined_until_it_passes_a_test() {
    let lab = Lab::new().await;
    lab.admit("full").await;
    let serving = lab.serve(1, |_| {});
    lab.until("it is quarantined", async |lab| {
        lab.queue.workers().await.expect("workers").iter().any(|worker| worker.quarantined)
    })
    .await;
    let worker = lab.queue.workers().await.expect("workers").remove(0);
    assert_eq!(worker.trouble, "quarantined after 3 faults in a row: the disk is full: x");
    assert_eq!(lab.control.ready().expect_err("not ready"), worker.trouble);
    let status = lab.status("full").await.expect("it is in the queue");
    assert_eq!((status.state, status.attempts, status.crashes), (UnitState::Ready, 0, 0));
    lab.until("the test has failed", async |lab| {
        lab.control.ready().is_err_and(|trouble| trouble.contains("the process of a slot does not start"))
    })
    .await;
    lab.go();
    lab.until("it works again", async |lab| lab.finished("full").await).await;
    assert_eq!(lab.control.ready(), Ok(()));
    lab.drain(serving).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_cannot_begin_is_the_machine_s_fault() {
    let lab = Lab::new().await;
    lab.admit("broken").await;
    let serving = lab.serve(1, |_| {});
    lab.until("it failed", async |lab| {
        lab.status("broken").await.is_some_and(|status| status.failure.is_some())
    })
    .await;
    let status = lab.status("broken").await.expect("it is in the queue");
    let failure = status.failure.expect("a failure");
    assert_eq!((failure.kind, status.attempts, status.crashes), (FailureKind::Machine, 0, 0));
    assert!(failure.reason.contains("exit status: 127"), "{}", failure.reason);
    lab.drain(serving).await;
}
