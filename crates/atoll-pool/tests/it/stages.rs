//! What the pool decides in the cases that it is made for, one by one.

use atoll_pool::*;
use std::num::NonZeroU32;
use std::time::Duration;

const MIB: u64 = 1 << 20;

/// A pool whose orders are looked at one by one.
struct Bench {
    pool: Pool,
    now: Duration,
}

/// No spare isolates, so that only what a test is about is ordered.
fn config() -> Config {
    Config { spares_min: 0, spares_max: 0, ..Config::default() }
}

fn settings(isolation: Isolation) -> Settings {
    Settings::new(TenantId(1), Version { release: ReleaseId(1), env: EnvVersion(1) }, isolation)
}

fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).expect("not zero")
}

const ONE: DeploymentId = DeploymentId(1);
const TWO: DeploymentId = DeploymentId(2);

impl Bench {
    fn new(config: Config) -> Self {
        Self { pool: Pool::new(config), now: Duration::ZERO }
    }

    fn deploy(&mut self, id: DeploymentId, settings: Settings) {
        self.pool.deploy(self.now, id, settings);
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.pool.tick(self.now);
    }

    fn actions(&mut self) -> Vec<Action> {
        std::iter::from_fn(|| self.pool.next_action()).collect()
    }

    fn starts(&mut self) -> Vec<Start> {
        let starts = self.actions().into_iter().map(|action| match action {
            Action::Start(start) => start,
            other => panic!("{other:?}"),
        });
        starts.collect()
    }

    fn one_start(&mut self) -> Start {
        let starts = self.starts();
        let [start] = starts[..] else { panic!("{starts:?}") };
        start
    }

    fn started(&mut self, start: Start, bytes: u64) {
        self.now += Duration::from_millis(10);
        self.pool.started(self.now, start.worker, bytes);
    }

    fn queued(&mut self, id: DeploymentId) -> RequestId {
        match self.pool.acquire(self.now, id) {
            Acquired::Queued(request) => request,
            other => panic!("{other:?}"),
        }
    }

    fn granted(&mut self, id: DeploymentId) -> Lease {
        match self.pool.acquire(self.now, id) {
            Acquired::Granted(lease) => lease,
            other => panic!("{other:?}"),
        }
    }

    fn refused(&mut self, id: DeploymentId) -> Refusal {
        match self.pool.acquire(self.now, id) {
            Acquired::Refused(refusal) => refusal,
            other => panic!("{other:?}"),
        }
    }

    fn grants(&mut self) -> Vec<(RequestId, Lease)> {
        let grants = self.actions().into_iter().filter_map(|action| match action {
            Action::Grant { request, lease } => Some((request, lease)),
            _ => None,
        });
        grants.collect()
    }

    fn release(&mut self, lease: Lease) {
        self.pool.release(self.now, lease, Outcome::Healthy);
    }

    /// Makes the deployment have an idle worker of so many bytes.
    fn warm_up(&mut self, id: DeploymentId, bytes: u64) {
        self.queued(id);
        let start = self.actions().into_iter().find_map(|action| match action {
            Action::Start(start) if start.deployment == id => Some(start),
            _ => None,
        });
        self.started(start.expect("a start"), bytes);
        for (_, lease) in self.grants() {
            self.release(lease);
        }
    }
}

fn shrunk(actions: &[Action]) -> usize {
    actions.iter().filter(|action| matches!(action, Action::Shrink { .. })).count()
}

fn ended(actions: &[Action], expected: EndReason) -> usize {
    let ends =
        actions.iter().filter(|action| matches!(action, Action::EndIsolate { reason, .. } if *reason == expected));
    ends.count()
}

#[test]
fn requests_share_a_start_and_then_a_worker() {
    let mut bench = Bench::new(config());
    bench.deploy(ONE, settings(Isolation::Warm));
    let requests = [bench.queued(ONE), bench.queued(ONE), bench.queued(ONE)];
    let start = bench.one_start();
    assert_eq!((start.place, start.urgency), (Place::New, Urgency::Demand));
    bench.started(start, MIB);
    let grants = bench.grants();
    assert_eq!(grants.iter().map(|(request, _)| *request).collect::<Vec<_>>(), requests);
    assert!(grants.iter().all(|(_, lease)| lease.worker() == start.worker));
    for (_, lease) in grants {
        bench.release(lease);
    }
    let lease = bench.granted(ONE);
    assert_eq!(lease.worker(), start.worker);
    bench.release(lease);
    assert_eq!(bench.actions(), []);
}

#[test]
fn a_spare_isolate_is_taken_first_and_made_anew() {
    let mut bench = Bench::new(Config { spares_min: 1, ..Config::default() });
    bench.deploy(ONE, settings(Isolation::Warm));
    let actions = bench.actions();
    let [Action::MakeIsolate { isolate }] = actions[..] else { panic!("{actions:?}") };
    bench.pool.isolate_made(bench.now, isolate, MIB);
    bench.queued(ONE);
    let actions = bench.actions();
    let [Action::Start(start), Action::MakeIsolate { isolate: next }] = actions[..] else { panic!("{actions:?}") };
    assert_eq!((start.place, start.isolate), (Place::Spare, isolate));
    assert_ne!(next, isolate);
}

#[test]
fn spares_follow_the_rate_of_starts_and_go_when_it_is_over() {
    let mut bench = Bench::new(Config::default());
    for deployment in 0..200 {
        bench.deploy(DeploymentId(deployment), settings(Isolation::Warm));
        bench.queued(DeploymentId(deployment));
        for action in bench.actions() {
            match action {
                Action::Start(start) => bench.started(start, MIB),
                Action::MakeIsolate { isolate } => bench.pool.isolate_made(bench.now, isolate, MIB),
                _ => {}
            }
        }
        bench.grants().into_iter().for_each(|(_, lease)| bench.release(lease));
    }
    // Two hundred starts within two seconds: at a hundred a second, 250 ms ahead would be 25.
    assert!(bench.pool.stats().spares >= 4, "{:?}", bench.pool.stats());
    while let Some(action) = bench.pool.next_action() {
        if let Action::MakeIsolate { isolate } = action {
            bench.pool.isolate_made(bench.now, isolate, MIB);
        }
    }
    let mut ticks = 0;
    while let Some(next) = bench.pool.next_deadline() {
        assert!(next >= bench.now);
        bench.now = next;
        bench.pool.tick(next);
        // What rests is shrunk meanwhile.
        ticks += usize::from(shrunk(&bench.actions()) == 0);
    }
    assert_eq!(bench.pool.stats().spares, 1, "{:?}", bench.pool.stats());
    assert!(ticks <= 8, "{ticks} ticks for {:?}", bench.pool.stats());
    assert!(bench.now < Duration::from_mins(3));
}

#[test]
fn a_context_is_fresh_and_the_next_is_made_ahead() {
    let mut bench = Bench::new(config());
    bench.deploy(ONE, settings(Isolation::Context));
    bench.queued(ONE);
    let first = bench.one_start();
    bench.started(first, MIB);
    let mut actions = bench.actions();
    let Some(Action::Start(spare)) = actions.pop() else { panic!("{actions:?}") };
    let Some(Action::Grant { lease, .. }) = actions.pop() else { panic!("{actions:?}") };
    assert_eq!((spare.place, spare.urgency, spare.isolate), (Place::Warm, Urgency::Ahead, first.isolate));
    bench.started(spare, MIB);
    let second = bench.granted(ONE);
    assert_eq!((second.worker(), second.isolate()), (spare.worker, first.isolate));
    bench.release(lease);
    bench.release(second);
    let ends = bench.actions().into_iter().filter(|action| matches!(action, Action::EndWorker { .. })).count();
    assert_eq!(ends, 2, "each context ends with its request");
    assert_eq!(bench.pool.stats().isolates, 1, "the isolate stays");
}

#[test]
fn an_isolate_of_its_own_is_never_used_again() {
    let mut bench = Bench::new(config());
    bench.deploy(ONE, settings(Isolation::Isolate));
    bench.queued(ONE);
    bench.queued(ONE);
    let starts = bench.starts();
    assert_eq!(starts.iter().filter(|start| start.urgency == Urgency::Demand).count(), 2, "{starts:?}");
    bench.started(starts[0], MIB);
    let [(_, lease)] = &bench.grants()[..] else { panic!() };
    assert_eq!(lease.isolate(), starts[0].isolate);
}

#[test]
fn an_isolate_of_its_own_ends_with_its_request() {
    let mut bench = Bench::new(config());
    bench.deploy(ONE, settings(Isolation::Isolate));
    bench.warm_up(ONE, MIB);
    assert_eq!(ended(&bench.actions(), EndReason::UsedUp), 1);
}

#[test]
fn a_new_version_retires_the_old_worker_which_finishes_its_request() {
    let mut bench = Bench::new(config());
    bench.deploy(ONE, settings(Isolation::Warm));
    bench.warm_up(ONE, MIB);
    let lease = bench.granted(ONE);
    let version = Version { release: ReleaseId(1), env: EnvVersion(2) };
    bench.deploy(ONE, Settings { version, ..settings(Isolation::Warm) });
    assert_eq!(bench.actions(), [], "it has a request under way");
    bench.queued(ONE);
    assert_eq!(bench.one_start().version, version);
    bench.release(lease);
    assert_eq!(ended(&bench.actions(), EndReason::Replaced), 1);
    // Equal settings again change nothing.
    bench.deploy(ONE, Settings { version, ..settings(Isolation::Warm) });
    assert_eq!(bench.actions(), []);
}

#[test]
fn a_successor_is_there_when_a_worker_is_used_up() {
    let mut bench = Bench::new(config());
    bench.deploy(ONE, Settings { reuses_max: number(16), ..settings(Isolation::Warm) });
    bench.warm_up(ONE, MIB);
    for _ in 1..13 {
        let lease = bench.granted(ONE);
        bench.release(lease);
    }
    assert_eq!(bench.actions(), []);
    let lease = bench.granted(ONE);
    bench.release(lease);
    let successor = bench.one_start();
    assert_eq!(successor.urgency, Urgency::Ahead);
    bench.started(successor, MIB);
    let leases = [bench.granted(ONE), bench.granted(ONE), bench.granted(ONE)];
    assert_ne!(leases[1].worker(), successor.worker);
    assert_eq!(leases[2].worker(), successor.worker);
    for lease in leases {
        bench.release(lease);
    }
    assert_eq!(ended(&bench.actions(), EndReason::UsedUp), 1);
}

#[test]
fn a_limit_takes_the_isolate_and_all_contexts_in_it() {
    let mut bench = Bench::new(config());
    bench.deploy(ONE, settings(Isolation::Warm));
    bench.warm_up(ONE, MIB);
    let (one, other) = (bench.granted(ONE), bench.granted(ONE));
    let worker = one.worker();
    bench.pool.release(bench.now, one, Outcome::LimitHit);
    assert_eq!(bench.actions(), [], "the other request has not failed yet");
    bench.queued(ONE);
    assert_ne!(bench.one_start().worker, worker);
    bench.release(other);
    assert_eq!(ended(&bench.actions(), EndReason::Limit), 1);
}

#[test]
fn a_thousand_deployments_fit_the_default_budget() {
    let mut bench = Bench::new(Config::default());
    for deployment in 0..1000 {
        bench.deploy(DeploymentId(deployment), settings(Isolation::Warm));
        bench.warm_up(DeploymentId(deployment), 2 * MIB);
    }
    let lease = bench.granted(DeploymentId(0));
    bench.release(lease);
    let actions = bench.actions();
    assert_eq!(shrunk(&actions), 0);
    assert_eq!(bench.pool.stats().idle, 1000);
}

#[test]
fn what_is_worth_least_makes_room_for_a_request() {
    let mut bench = Bench::new(Config { budget_bytes: 10 * MIB, ..config() });
    for (id, uses) in [(ONE, 5), (TWO, 1)] {
        bench.deploy(id, settings(Isolation::Warm));
        bench.warm_up(id, 4 * MIB);
        for _ in 1..uses {
            bench.pass(Duration::from_secs(1));
            let lease = bench.granted(id);
            bench.release(lease);
        }
    }
    bench.deploy(DeploymentId(3), settings(Isolation::Warm));
    bench.pass(Duration::from_secs(1));
    bench.actions();
    bench.now += Duration::from_secs(2);
    bench.queued(DeploymentId(3));
    assert_eq!(bench.pool.stats().isolates, 3, "2 MiB are assumed of a deployment that was never started, and fit");
    let start = bench.actions().into_iter().find_map(|action| match action {
        Action::Start(start) => Some(start),
        _ => None,
    });
    bench.started(start.expect("a start"), 4 * MIB);
    bench.grants().into_iter().for_each(|(_, lease)| bench.release(lease));
    // 12 MiB are there, 10 may be: after it was shrunk in vain, the least goes.
    bench.pass(Duration::from_secs(1));
    assert_eq!(ended(&bench.actions(), EndReason::Memory), 1);
    let lease = bench.granted(ONE);
    bench.release(lease);
    bench.queued(TWO);
}

#[test]
fn memory_is_taken_by_shrinking_first() {
    let mut bench = Bench::new(Config { budget_bytes: 10 * MIB, ..config() });
    bench.deploy(ONE, settings(Isolation::Warm));
    bench.warm_up(ONE, 4 * MIB);
    bench.deploy(TWO, settings(Isolation::Warm));
    bench.warm_up(TWO, 4 * MIB);
    let lease = bench.granted(TWO);
    bench.pool.measured(bench.now, lease.isolate(), 7 * MIB);
    let actions = bench.actions();
    let [Action::Shrink { isolate }] = actions[..] else { panic!("{actions:?}") };
    assert_ne!(isolate, lease.isolate());
    let due = bench.pool.next_deadline().expect("the eviction");
    assert!(due > bench.now);
    // Shrinking is enough.
    bench.pool.measured(bench.now, isolate, 2 * MIB);
    bench.now = due;
    bench.pool.tick(due);
    assert_eq!(bench.actions(), []);
    // The other grows further, and now it is not.
    bench.pool.measured(bench.now, lease.isolate(), 9 * MIB);
    assert_eq!(ended(&bench.actions(), EndReason::Memory), 1);
    bench.release(lease);
}

#[test]
fn what_rests_is_shrunk_once_and_one_at_a_time() {
    let mut bench = Bench::new(config());
    for id in [ONE, TWO] {
        bench.deploy(id, settings(Isolation::Warm));
        bench.warm_up(id, 4 * MIB);
    }
    bench.pass(Duration::from_secs(4));
    assert_eq!(bench.actions(), []);
    // One of them is used again, and does not rest.
    let lease = bench.granted(TWO);
    let busy = lease.isolate();
    bench.release(lease);
    let mut shrunk_at = Vec::new();
    while let Some(due) = bench.pool.next_deadline() {
        assert!(due < bench.now + Duration::from_secs(10), "{due:?}");
        bench.now = due;
        bench.pool.tick(due);
        for action in bench.actions() {
            let Action::Shrink { isolate } = action else { panic!("{action:?}") };
            bench.pool.measured(bench.now, isolate, 2 * MIB);
            shrunk_at.push((isolate, bench.now));
        }
    }
    let [(first, _), (second, at)] = shrunk_at[..] else { panic!("{shrunk_at:?}") };
    assert_ne!(first, busy);
    assert_eq!(second, busy);
    assert!(at >= Duration::from_secs(9), "{at:?}");
    assert_eq!(bench.pool.stats().bytes, 4 * MIB);
    // After a use, it will be again.
    let lease = bench.granted(ONE);
    bench.release(lease);
    assert!(bench.pool.next_deadline().is_some());
    bench.pass(Duration::from_secs(6));
    assert_eq!(bench.actions(), [Action::Shrink { isolate: first }]);
}

#[test]
fn many_that_rest_are_not_shrunk_at_once() {
    let mut bench = Bench::new(config());
    for deployment in 0..100 {
        bench.deploy(DeploymentId(deployment), settings(Isolation::Warm));
        bench.warm_up(DeploymentId(deployment), MIB);
    }
    bench.pass(Duration::from_secs(10));
    for shrunk_before in 0..100 {
        assert_eq!(shrunk(&bench.actions()), 1, "after {shrunk_before}");
        let due = bench.pool.next_deadline();
        let Some(due) = due else {
            assert_eq!(shrunk_before, 99);
            return;
        };
        assert!(due >= bench.now + Duration::from_millis(10), "{due:?}");
        bench.now = due;
        bench.pool.tick(due);
    }
    panic!("there is no end");
}

#[test]
fn pressure_cuts_the_limit_once_in_a_while_and_it_comes_back_slowly() {
    let mut bench = Bench::new(Config { budget_bytes: 160 * MIB, ..config() });
    for deployment in 0..80 {
        bench.deploy(DeploymentId(deployment), settings(Isolation::Warm));
        bench.warm_up(DeploymentId(deployment), MIB);
    }
    bench.actions();
    let limit = |bench: &Bench| bench.pool.stats().limit_bytes / MIB;
    bench.pool.pressure(bench.now, Pressure::Moderate);
    assert_eq!(limit(&bench), 70);
    let actions = bench.actions();
    assert_eq!((shrunk(&actions), ended(&actions, EndReason::Memory)), (4, 0));
    while bench.pool.stats().bytes > 70 * MIB {
        bench.now = bench.pool.next_deadline().expect("there is too much");
        bench.pool.tick(bench.now);
    }
    assert!(bench.now < Duration::from_secs(3));
    bench.actions();
    bench.pool.pressure(bench.now, Pressure::Critical);
    assert_eq!(limit(&bench), 35);
    assert_eq!(bench.pool.stats().idle, 35, "no time for shrinking");
    bench.pool.pressure(bench.now, Pressure::Critical);
    assert_eq!(limit(&bench), 35, "what was freed has had no time to show");

    bench.pool.pressure(bench.now, Pressure::None);
    let calm = bench.now;
    bench.pass(Duration::from_secs(9));
    assert_eq!(limit(&bench), 35);
    bench.pass(Duration::from_secs(2));
    assert_eq!(limit(&bench), 55);
    while let Some(next) = bench.pool.next_deadline() {
        bench.now = next;
        bench.pool.tick(next);
    }
    assert_eq!(limit(&bench), 160);
    assert!((Duration::from_secs(15)..Duration::from_secs(30)).contains(&(bench.now.saturating_sub(calm))));
}

#[test]
fn queues_are_bounded_and_say_when_to_come_back() {
    let mut bench = Bench::new(Config { queue_deployment_max: 2, queue_max: 3, ..config() });
    bench.deploy(ONE, settings(Isolation::Warm));
    bench.deploy(TWO, settings(Isolation::Warm));
    let first = bench.queued(ONE);
    bench.queued(ONE);
    bench.now += Duration::from_millis(2300);
    assert_eq!(bench.refused(ONE), Refusal::QueueFull { retry_after: Duration::from_secs(3) });
    let third = bench.queued(TWO);
    assert_eq!(bench.refused(TWO), Refusal::QueueFull { retry_after: Duration::from_secs(1) });
    bench.pool.cancel(bench.now, third);
    bench.queued(TWO);
    bench.actions();
    bench.now = Duration::from_secs(10);
    assert_eq!(bench.pool.next_deadline(), Some(bench.now));
    bench.pool.tick(bench.now);
    let actions = bench.actions();
    assert!(
        matches!(actions[0], Action::Refuse { request, refusal: Refusal::TimedOut { .. } } if request == first),
        "{actions:?}"
    );
}

#[test]
fn a_start_that_fails_repeatedly_pauses_until_a_new_version_comes() {
    let mut bench = Bench::new(config());
    bench.deploy(ONE, settings(Isolation::Warm));
    for _ in 0..2 {
        let request = bench.queued(ONE);
        let start = bench.one_start();
        bench.pool.start_failed(bench.now, start.worker);
        let refused = Action::Refuse { request, refusal: Refusal::StartFailed };
        assert!(bench.actions().contains(&refused));
    }
    assert_eq!(bench.refused(ONE), Refusal::BackingOff { retry_after: Duration::from_secs(1) });
    bench.now += Duration::from_millis(250);
    bench.queued(ONE);
    let start = bench.one_start();
    bench.pool.start_failed(bench.now, start.worker);
    bench.actions();
    bench.now += Duration::from_millis(250);
    assert!(matches!(bench.refused(ONE), Refusal::BackingOff { .. }), "the pause grows");
    let version = Version { release: ReleaseId(2), env: EnvVersion(1) };
    bench.deploy(ONE, Settings { version, ..settings(Isolation::Warm) });
    bench.queued(ONE);
}

#[test]
fn nothing_is_made_ahead_for_whom_nobody_asked_or_whose_starts_fail() {
    let mut bench = Bench::new(config());
    for (id, isolation) in [(ONE, Isolation::Context), (TWO, Isolation::Isolate)] {
        bench.deploy(id, settings(isolation));
        assert_eq!(bench.actions(), []);
        bench.queued(id);
        let demanded = bench.starts().into_iter().filter(|start| start.urgency == Urgency::Demand);
        let [start] = demanded.collect::<Vec<_>>()[..] else { panic!() };
        bench.pool.start_failed(bench.now, start.worker);
        let ordered = bench.actions().into_iter().any(|action| matches!(action, Action::Start(_)));
        assert!(!ordered, "{isolation:?}");
    }
}

#[test]
fn draining_answers_those_who_wait_and_then_nothing_is_left() {
    let mut bench = Bench::new(config());
    bench.deploy(ONE, settings(Isolation::Warm));
    bench.deploy(TWO, settings(Isolation::Context));
    bench.warm_up(TWO, MIB);
    bench.queued(ONE);
    let start = bench.actions().into_iter().find_map(|action| match action {
        Action::Start(start) if start.deployment == ONE => Some(start),
        _ => None,
    });
    bench.pool.drain(bench.now);
    assert_eq!(bench.refused(ONE), Refusal::Draining);
    bench.started(start.expect("a start"), MIB);
    bench.grants().into_iter().for_each(|(_, lease)| bench.release(lease));
    assert_eq!(bench.pool.stats().waiting, 0);
    assert_eq!(bench.pool.stats().isolates, 1, "the context that was being made ahead for the other is not ready");
}
