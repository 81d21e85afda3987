//! Who is connected: how many, for how long without a call, and who goes when somebody new comes.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Context;
use std::time::{Duration, Instant};

use futures::task::AtomicWaker;

/// Time between looks for connections that are late.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Least time between two lines of the log about connections that were closed.
const REPORT_EVERY: Duration = Duration::from_secs(10);
/// Bits of an IPv6 address that one customer of a provider has to themselves are those after so many.
const IPV6_PREFIX: u32 = 64;

/// How many may be connected, and for how long without a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// What listens, for logs and metrics.
    pub name: &'static str,
    /// Connections in all.
    pub most: usize,
    /// Connections of one address (of one /64 in IPv6).
    pub per_address: usize,
    /// Time until the first call must have been let in: handshake, preface and headers are part of it.
    pub first_call: Duration,
    /// Time without a call in progress.
    pub idle: Duration,
}

/// The connections of one listener.
///
/// When there are too many, the oldest that no known caller has used goes, so that a newcomer gets in; if there is none, the known
/// one that has been without a call for the longest time. Only when every connection has a call in progress the newcomer is turned away.
pub struct Connections {
    caps: Caps,
    state: Mutex<State>,
    sockets: AtomicUsize,
}

#[derive(Default)]
struct State {
    next: u64,
    open: HashMap<u64, Open>,
    /// Who may be closed, the first to go first.
    ranks: BTreeSet<Rank>,
    origins: HashMap<IpAddr, Origin>,
    closed: Closed,
}

/// Connections of an address.
#[derive(Default)]
struct Origin {
    count: usize,
    ranks: BTreeSet<Rank>,
}

/// Whether a known caller has used it, since which event, and its number.
type Rank = (bool, u64, u64);

struct Open {
    origin: IpAddr,
    /// Calls in progress.
    calls: u32,
    /// Whether a call was let in.
    asked: bool,
    /// Whether a call with an identity was let in.
    known: bool,
    /// When it was opened, or its last call ended.
    since: Instant,
    /// Its place among those that may be closed, unless a known caller is using it.
    rank: Option<Rank>,
    line: Arc<Hook>,
}

/// Why connections were closed, since the log was told.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Closed {
    late: u64,
    idle: u64,
    room: u64,
    refused: u64,
}

/// Tells the task of a connection to end.
#[derive(Default)]
struct Hook {
    closed: AtomicBool,
    task: AtomicWaker,
}

/// A connection's place; it is free again when this is dropped.
pub struct Place {
    line: Line,
}

/// A connection as its calls see it.
#[derive(Clone)]
pub struct Line {
    connections: Arc<Connections>,
    id: u64,
    hook: Arc<Hook>,
}

/// A call in progress on a connection; ends when dropped.
pub struct OnLine(Line);

impl Connections {
    /// Nobody is connected.
    pub fn new(caps: Caps) -> Arc<Self> {
        Arc::new(Self { caps, state: Mutex::default(), sockets: AtomicUsize::new(0) })
    }

    /// The caps.
    pub fn caps(&self) -> Caps {
        self.caps
    }

    /// Sockets that are open: also those that have been told to close and have not done so yet.
    pub fn sockets(&self) -> usize {
        self.sockets.load(Ordering::Relaxed)
    }

    /// A place for a newcomer; `None` when all connections have calls of known callers in progress.
    pub fn enter(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let origin = origin(peer);
        let mut state = self.lock();
        let crowd = state.origins.get(&origin).map_or(0, |origin| origin.count);
        let full = if crowd >= self.caps.per_address {
            Some(state.origins.get(&origin).and_then(|origin| origin.ranks.first().copied()))
        } else if state.open.len() >= self.caps.most {
            Some(state.ranks.first().copied())
        } else {
            None
        };
        match full {
            None => {}
            Some(Some((_, _, first))) => {
                state.closed.room += 1;
                self.close(&mut state, first, "ROOM");
            }
            Some(None) => {
                state.closed.refused += 1;
                metrics::counter!("ventral_rpc_refused_total", "reason" => "TOO_MANY_CONNECTIONS")
                    .increment(1);
                return None;
            }
        }
        let id = state.event();
        let hook = Arc::new(Hook::default());
        let rank = Some((false, id, id));
        let open = Open {
            origin,
            calls: 0,
            asked: false,
            known: false,
            since: Instant::now(),
            rank,
            line: hook.clone(),
        };
        let of_origin = state.origins.entry(origin).or_default();
        of_origin.count += 1;
        of_origin.ranks.extend(rank);
        state.ranks.extend(rank);
        state.open.insert(id, open);
        self.sockets.fetch_add(1, Ordering::Relaxed);
        Some(Place { line: Line { connections: self.clone(), id, hook } })
    }

    /// Closes the oldest connection that no known caller has used: there are no file descriptors left.
    pub fn make_room(&self) {
        let mut state = self.lock();
        if let Some((false, _, first)) = state.ranks.first().copied() {
            state.closed.room += 1;
            self.close(&mut state, first, "ROOM");
        }
    }

    /// Closes what has been silent for too long at `now`.
    pub fn sweep(&self, now: Instant) {
        let mut state = self.lock();
        let silent = |open: &Open| now.saturating_duration_since(open.since);
        let late: Vec<u64> = (state.open.iter())
            .filter(|(_, open)| !open.asked && silent(open) >= self.caps.first_call)
            .map(|(id, _)| *id)
            .collect();
        let idle: Vec<u64> = (state.open.iter())
            .filter(|(_, open)| open.asked && open.calls == 0 && silent(open) >= self.caps.idle)
            .map(|(id, _)| *id)
            .collect();
        (state.closed.late, state.closed.idle) =
            (state.closed.late + late.len() as u64, state.closed.idle + idle.len() as u64);
        late.into_iter().for_each(|id| self.close(&mut state, id, "NO_CALL"));
        idle.into_iter().for_each(|id| self.close(&mut state, id, "IDLE"));
    }

    /// Closes what is silent for too long, and tells the log and the metrics, for ever.
    pub async fn watch(&self) {
        let mut told = None::<Instant>;
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let now = Instant::now();
            self.sweep(now);
            let name = self.caps.name;
            metrics::gauge!("ventral_connections", "listener" => name).set(self.lock().open.len() as f64);
            if told.is_none_or(|told| now.duration_since(told) >= REPORT_EVERY) {
                let closed = std::mem::take(&mut self.lock().closed);
                if closed != Closed::default() {
                    let Closed { late, idle, room, refused } = closed;
                    tracing::warn!(
                        listener = name,
                        no_call = late,
                        idle,
                        for_newcomers = room,
                        refused,
                        "connections were closed"
                    );
                    told = Some(now);
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self, state: &mut State, id: u64, reason: &'static str) {
        if let Some(open) = state.remove(id) {
            let name = self.caps.name;
            metrics::counter!("ventral_connections_closed_total", "listener" => name, "reason" => reason)
                .increment(1);
            open.line.closed.store(true, Ordering::Release);
            open.line.task.wake();
        }
    }

    /// Changes a connection, and its place among those that may be closed.
    fn change(&self, id: u64, change: impl FnOnce(&mut Open)) {
        let mut state = self.lock();
        let event = state.event();
        let Some(open) = state.open.get_mut(&id) else { return };
        let old = open.rank;
        change(open);
        let stays = !open.known && old.is_some();
        if !stays {
            open.rank = (open.calls == 0 || !open.known).then_some((open.known, event, id));
        }
        let (origin, rank) = (open.origin, open.rank);
        state.rerank(origin, old, rank);
    }
}

impl State {
    /// Events are numbered: what came first is smaller.
    fn event(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn rerank(&mut self, origin: IpAddr, old: Option<Rank>, new: Option<Rank>) {
        let of_origin = self.origins.entry(origin).or_default();
        if let Some(old) = old {
            self.ranks.remove(&old);
            of_origin.ranks.remove(&old);
        }
        self.ranks.extend(new);
        of_origin.ranks.extend(new);
    }

    fn remove(&mut self, id: u64) -> Option<Open> {
        let open = self.open.remove(&id)?;
        self.rerank(open.origin, open.rank, None);
        if let Some(of_origin) = self.origins.get_mut(&open.origin) {
            of_origin.count -= 1;
            if of_origin.count == 0 {
                self.origins.remove(&open.origin);
            }
        }
        Some(open)
    }
}

impl Place {
    /// The connection as its calls see it.
    pub fn line(&self) -> Line {
        self.line.clone()
    }

    /// Whether the connection must end; the task is woken when it must.
    pub fn is_closed(&self, context: &Context<'_>) -> bool {
        self.line.hook.task.register(context.waker());
        self.line.hook.closed.load(Ordering::Acquire)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let connections = &self.line.connections;
        connections.lock().remove(self.line.id);
        connections.sockets.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Line {
    /// A call was let in, of a `known` caller or of one without identity.
    pub fn call(&self, known: bool) -> OnLine {
        self.connections.change(self.id, |open| {
            (open.asked, open.known) = (true, open.known || known);
            open.calls += 1;
        });
        OnLine(self.clone())
    }
}

impl Drop for OnLine {
    fn drop(&mut self) {
        self.0.connections.change(self.0.id, |open| {
            open.calls = open.calls.saturating_sub(1);
            open.since = Instant::now();
        });
    }
}

/// Who is counted as one: an IPv4 address, or the network that one IPv6 customer has.
fn origin(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let mask = u128::MAX << (128 - IPV6_PREFIX);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connections(most: usize, per_address: usize) -> Arc<Connections> {
        let (first_call, idle) = (Duration::from_secs(10), Duration::from_secs(60));
        Connections::new(Caps { name: "test", most, per_address, first_call, idle })
    }

    fn address(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    fn closed(place: &Place) -> bool {
        place.line.hook.closed.load(Ordering::Acquire)
    }

    #[test]
    fn the_oldest_stranger_goes_and_then_the_known_one_without_a_call() {
        let connections = connections(3, 3);
        let first = connections.enter(address(1)).expect("room");
        let second = connections.enter(address(2)).expect("room");
        let third = connections.enter(address(3)).expect("room");
        let call = first.line().call(true);
        let newcomer = connections.enter(address(4)).expect("the second goes");
        assert_eq!([&first, &second, &third].map(closed), [false, true, false]);
        let calls = [third.line().call(true), newcomer.line().call(true)];
        assert!(connections.enter(address(5)).is_none(), "everybody is busy");
        drop(call);
        let _late = connections.enter(address(5)).expect("the first is idle");
        assert_eq!([&first, &third, &newcomer].map(closed), [true, false, false]);
        assert_eq!(connections.sockets(), 5, "those closed count until they are dropped");
        drop((first, second));
        assert_eq!(connections.sockets(), 3);
        drop(calls);
    }

    #[test]
    fn an_address_can_only_crowd_out_itself() {
        let connections = connections(10, 2);
        let other = connections.enter(address(9)).expect("room");
        let own: Vec<Place> = (0..5).map(|_| connections.enter(address(1)).expect("room")).collect();
        assert_eq!(own.iter().map(closed).collect::<Vec<_>>(), [true, true, true, false, false]);
        assert!(!closed(&other));
        let nearby = |last: u16| IpAddr::from([0x2001, 0xdb8, 0, 7, last, 0, 0, 1]);
        let own: Vec<Place> = (0..3).map(|last| connections.enter(nearby(last)).expect("room")).collect();
        assert_eq!(own.iter().map(closed).collect::<Vec<_>>(), [true, false, false]);
    }

    #[test]
    fn calls_without_identity_keep_nobody_from_being_closed() {
        let connections = connections(1, 1);
        let stranger = connections.enter(address(1)).expect("room");
        let _call = stranger.line().call(false);
        assert!(connections.enter(address(2)).is_some());
        assert!(closed(&stranger));
    }

    #[test]
    fn silence_ends_a_connection_and_a_call_in_progress_does_not() {
        let connections = connections(9, 9);
        let [silent, asked, busy] = [1, 2, 3].map(|last| connections.enter(address(last)).expect("room"));
        drop(asked.line().call(true));
        let _call = busy.line().call(false);
        let now = Instant::now();
        connections.sweep(now + Duration::from_secs(9));
        assert!(![&silent, &asked, &busy].map(closed).contains(&true));
        connections.sweep(now + Duration::from_secs(11));
        assert_eq!([&silent, &asked, &busy].map(closed), [true, false, false]);
        connections.sweep(now + Duration::from_secs(61));
        assert_eq!([&silent, &asked, &busy].map(closed), [true, true, false]);
    }
}
