//! Any sequence of events leaves the pool's promises intact. The [`Host`] carries out what the pool orders, keeps books of
//! its own, by names alone, and compares after each call.

use atoll_pool::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::time::Duration;

const MIB: u64 = 1 << 20;

#[derive(Debug, Clone)]
enum Event {
    Acquire { deployment: u64 },
    Release { nth: usize, limit_hit: bool },
    StartEnds { nth: usize, works: bool, mib: u64 },
    MakeEnds { nth: usize, works: bool },
    LimitHit { nth: usize },
    Measured { nth: usize, mib: u64 },
    Cancel { nth: usize },
    Deploy { deployment: u64, settings: Settings },
    Remove { deployment: u64 },
    Pressure { level: Pressure },
    Pass { milliseconds: u64 },
}

fn settings(deployment: u64, release: u64, env: u64, isolation: Isolation, small: bool) -> Settings {
    let version = Version { release: ReleaseId(release), env: EnvVersion(env) };
    let number = |number| NonZeroU32::new(number).expect("not zero");
    Settings {
        concurrency_max: number(if small { 1 } else { 3 }),
        reuses_max: number(if small { 2 } else { 9 }),
        workers_max: number(if small { 2 } else { 1 }),
        // Two deployments of each tenant.
        ..Settings::new(TenantId(deployment / 2), version, isolation)
    }
}

fn isolation_of(deployment: u64) -> Isolation {
    [Isolation::Warm, Isolation::Context, Isolation::Isolate][deployment as usize % 3]
}

const DEPLOYMENTS: u64 = 7;

/// What has not been used for this long is shrunk in any case.
const REST_MIN: Duration = Duration::from_secs(5);

fn event() -> impl Strategy<Value = Event> {
    let deployment = 0..DEPLOYMENTS;
    let isolation = prop_oneof![Just(Isolation::Warm), Just(Isolation::Context), Just(Isolation::Isolate)];
    let level = prop_oneof![Just(Pressure::None), Just(Pressure::Moderate), Just(Pressure::Critical)];
    prop_oneof![
        12 => deployment.clone().prop_map(|deployment| Event::Acquire { deployment }),
        8 => (any::<usize>(), prop::bool::weighted(0.1)).prop_map(|(nth, limit_hit)| Event::Release { nth, limit_hit }),
        8 => (any::<usize>(), prop::bool::weighted(0.85), 1..20_u64)
            .prop_map(|(nth, works, mib)| Event::StartEnds { nth, works, mib }),
        3 => (any::<usize>(), prop::bool::weighted(0.8)).prop_map(|(nth, works)| Event::MakeEnds { nth, works }),
        1 => any::<usize>().prop_map(|nth| Event::LimitHit { nth }),
        3 => (any::<usize>(), 1..30_u64).prop_map(|(nth, mib)| Event::Measured { nth, mib }),
        1 => any::<usize>().prop_map(|nth| Event::Cancel { nth }),
        2 => (deployment.clone(), 0..3_u64, 0..2_u64, isolation, any::<bool>()).prop_map(
            |(deployment, release, env, isolation, small)| Event::Deploy {
                deployment,
                settings: settings(deployment, release, env, isolation, small)
            }
        ),
        1 => deployment.prop_map(|deployment| Event::Remove { deployment }),
        1 => level.prop_map(|level| Event::Pressure { level }),
        4 => prop_oneof![0..5_u64, 0..200_u64, 0..4000_u64].prop_map(|milliseconds| Event::Pass { milliseconds }),
    ]
}

struct HostIsolate {
    owner: Option<(DeploymentId, Settings)>,
    bytes: Option<u64>,
    workers: BTreeSet<WorkerId>,
    contexts: u32,
    uses: u32,
    leases: u32,
    last_used: Duration,
    shrunk: bool,
    unfit: bool,
}

struct HostWorker {
    isolate: IsolateId,
    starting: Option<Place>,
    leases: u32,
    uses: u32,
}

struct Host {
    pool: Pool,
    config: Config,
    now: Duration,
    settings: BTreeMap<DeploymentId, Settings>,
    isolates: BTreeMap<IsolateId, HostIsolate>,
    workers: BTreeMap<WorkerId, HostWorker>,
    making: BTreeSet<IsolateId>,
    leases: Vec<Lease>,
    waiting: BTreeMap<RequestId, (DeploymentId, Duration)>,
    level: Pressure,
    last_isolate: Option<IsolateId>,
    last_worker: Option<WorkerId>,
    last_request: Option<RequestId>,
}

fn pick<T: Copy>(items: impl Iterator<Item = T>, nth: usize) -> Option<T> {
    let items: Vec<T> = items.collect();
    (!items.is_empty()).then(|| items[nth % items.len()])
}

impl Host {
    fn new(policy: EvictionPolicy) -> Self {
        let config = Config {
            budget_bytes: 80 * MIB,
            isolates_max: 6,
            starts_max: 3,
            queue_deployment_max: 3,
            queue_max: 6,
            wait_max: Duration::from_secs(5),
            spares_min: 1,
            spares_max: 2,
            spare_workers_max: 2,
            isolate_bytes: 2 * MIB,
            policy,
        };
        let mut host = Self {
            pool: Pool::new(config.clone()),
            config,
            now: Duration::ZERO,
            settings: BTreeMap::new(),
            isolates: BTreeMap::new(),
            workers: BTreeMap::new(),
            making: BTreeSet::new(),
            leases: Vec::new(),
            waiting: BTreeMap::new(),
            level: Pressure::None,
            last_isolate: None,
            last_worker: None,
            last_request: None,
        };
        for deployment in 0..DEPLOYMENTS {
            host.deploy(DeploymentId(deployment), settings(deployment, 0, 0, isolation_of(deployment), false));
        }
        host
    }

    fn starting(&self) -> impl Iterator<Item = WorkerId> {
        self.workers.iter().filter(|(_, worker)| worker.starting.is_some()).map(|(id, _)| *id)
    }

    fn apply(&mut self, event: &Event) {
        match *event {
            Event::Acquire { deployment } => self.acquire(DeploymentId(deployment)),
            Event::Release { nth, limit_hit } => {
                if !self.leases.is_empty() {
                    let lease = self.leases.swap_remove(nth % self.leases.len());
                    self.release(lease, limit_hit);
                }
            }
            Event::StartEnds { nth, works, mib } => {
                if let Some(worker) = pick(self.starting(), nth) {
                    self.start_ends(worker, works, mib * MIB);
                }
            }
            Event::MakeEnds { nth, works } => {
                if let Some(isolate) = pick(self.making.iter().copied(), nth) {
                    self.make_ends(isolate, works);
                }
            }
            Event::LimitHit { nth } => {
                let ready = self.workers.iter().filter(|(_, worker)| worker.starting.is_none()).map(|(id, _)| *id);
                if let Some(worker) = pick(ready, nth) {
                    let isolate = self.workers[&worker].isolate;
                    self.isolates.get_mut(&isolate).unwrap().unfit = true;
                    self.pool.limit_hit(self.now, worker);
                }
            }
            Event::Measured { nth, mib } => {
                let built = self.isolates.iter().filter(|(_, isolate)| isolate.bytes.is_some()).map(|(id, _)| *id);
                if let Some(isolate) = pick(built, nth) {
                    self.isolates.get_mut(&isolate).unwrap().bytes = Some(mib * MIB);
                    self.pool.measured(self.now, isolate, mib * MIB);
                }
            }
            Event::Cancel { nth } => {
                if let Some(request) = pick(self.waiting.keys().copied(), nth) {
                    self.waiting.remove(&request);
                    self.pool.cancel(self.now, request);
                }
            }
            Event::Deploy { deployment, settings } => self.deploy(DeploymentId(deployment), settings),
            Event::Remove { deployment } => {
                self.settings.remove(&DeploymentId(deployment));
                self.disown(DeploymentId(deployment));
                self.pool.remove(self.now, DeploymentId(deployment));
            }
            Event::Pressure { level } => {
                self.level = level;
                self.pool.pressure(self.now, level);
            }
            Event::Pass { milliseconds } => {
                self.now += Duration::from_millis(milliseconds);
                self.tick();
            }
        }
        self.carry_out();
        self.check();
    }

    fn tick(&mut self) {
        self.pool.tick(self.now);
        let next = self.pool.next_deadline();
        assert!(next.is_none_or(|next| next > self.now), "a tick leaves nothing to do at once: {next:?}");
    }

    fn deploy(&mut self, deployment: DeploymentId, settings: Settings) {
        if self.settings.insert(deployment, settings) != Some(settings) {
            self.disown(deployment);
        }
        self.pool.deploy(self.now, deployment, settings);
        self.carry_out();
    }

    /// What a deployment has at present must not serve it any more.
    fn disown(&mut self, deployment: DeploymentId) {
        for isolate in self.isolates.values_mut() {
            isolate.unfit |= isolate.owner.is_some_and(|(owner, _)| owner == deployment);
        }
    }

    fn acquire(&mut self, deployment: DeploymentId) {
        let ready = self.has_capacity(deployment);
        match self.pool.acquire(self.now, deployment) {
            Acquired::Granted(lease) => {
                assert_eq!(lease.deployment(), deployment);
                self.granted(lease);
            }
            Acquired::Queued(request) => {
                assert!(!ready, "a ready worker of {deployment:?} was not used");
                assert!(Some(request) > self.last_request.replace(request), "ids ascend");
                self.waiting.insert(request, (deployment, self.now));
            }
            Acquired::Refused(refusal) => {
                assert!(!ready, "a ready worker of {deployment:?} was not used: {refusal}");
                let of_deployment = self.waiting.values().filter(|(other, _)| *other == deployment).count();
                match refusal {
                    Refusal::QueueFull { retry_after } => {
                        assert!(retry_after >= Duration::from_secs(1));
                        assert!(
                            self.waiting.len() == self.config.queue_max
                                || of_deployment == self.config.queue_deployment_max
                        );
                    }
                    Refusal::Unknown => assert!(!self.settings.contains_key(&deployment)),
                    Refusal::BackingOff { .. } => assert_eq!(of_deployment, 0, "some wait where others may not"),
                    other => panic!("{other}"),
                }
            }
        }
    }

    /// Whether a worker of the deployment could take a request.
    fn has_capacity(&self, deployment: DeploymentId) -> bool {
        let Some(settings) = self.settings.get(&deployment) else { return false };
        self.workers.values().any(|worker| {
            let isolate = &self.isolates[&worker.isolate];
            let fits = match settings.isolation {
                Isolation::Warm => {
                    worker.leases < settings.concurrency_max.get() && isolate.uses < settings.reuses_max.get()
                }
                Isolation::Context | Isolation::Isolate => worker.uses == 0,
            };
            let owned = isolate.owner.is_some_and(|(owner, _)| owner == deployment);
            fits && owned && !isolate.unfit && worker.starting.is_none()
        })
    }

    fn granted(&mut self, lease: Lease) {
        let settings = self.settings[&lease.deployment()];
        let worker = self.workers.get_mut(&lease.worker()).expect("the worker has not ended");
        let isolate = self.isolates.get_mut(&lease.isolate()).expect("the isolate has not ended");
        assert_eq!(worker.isolate, lease.isolate());
        assert_eq!(isolate.owner, Some((lease.deployment(), settings)), "an old or a foreign isolate serves");
        assert!(!isolate.unfit, "an isolate serves that was replaced or hit a limit");
        assert!(worker.starting.is_none(), "a worker serves that has not started");
        worker.leases += 1;
        worker.uses += 1;
        isolate.uses += 1;
        isolate.leases += 1;
        isolate.shrunk = false;
        let (leases_max, uses_max) = match settings.isolation {
            Isolation::Warm => (settings.concurrency_max.get(), settings.reuses_max.get()),
            Isolation::Context => (1, settings.reuses_max.get()),
            Isolation::Isolate => (1, 1),
        };
        assert!(worker.leases <= leases_max, "{} requests at once in one worker", worker.leases);
        assert!(isolate.uses <= uses_max, "{} requests in one isolate", isolate.uses);
        if settings.isolation != Isolation::Warm {
            assert_eq!(worker.uses, 1, "a context was used twice");
        }
        self.leases.push(lease);
    }

    fn release(&mut self, lease: Lease, limit_hit: bool) {
        self.workers.get_mut(&lease.worker()).expect("leased").leases -= 1;
        let isolate = self.isolates.get_mut(&lease.isolate()).expect("leased");
        isolate.leases -= 1;
        isolate.last_used = self.now;
        isolate.unfit |= limit_hit;
        self.pool.release(self.now, lease, if limit_hit { Outcome::LimitHit } else { Outcome::Healthy });
    }

    fn start_ends(&mut self, id: WorkerId, works: bool, bytes: u64) {
        let worker = self.workers.get_mut(&id).expect("it is starting");
        worker.starting = None;
        let isolate = self.isolates.get_mut(&worker.isolate).expect("it is starting");
        if works {
            isolate.bytes = Some(bytes);
            isolate.last_used = self.now;
            self.pool.started(self.now, id, bytes);
        } else {
            isolate.unfit = true;
            self.pool.start_failed(self.now, id);
        }
    }

    fn make_ends(&mut self, id: IsolateId, works: bool) {
        self.making.remove(&id);
        if works {
            self.isolates.get_mut(&id).expect("it is made").bytes = Some(3 * MIB);
            self.pool.isolate_made(self.now, id, 3 * MIB);
        } else {
            self.pool.isolate_failed(self.now, id);
        }
    }

    fn carry_out(&mut self) {
        let mut built = false;
        while let Some(action) = self.pool.next_action() {
            match action {
                Action::MakeIsolate { isolate } => {
                    built = true;
                    self.insert_isolate(isolate, None);
                    self.making.insert(isolate);
                }
                Action::Start(start) => {
                    built |= start.place != Place::Warm;
                    self.start_ordered(start);
                }
                Action::Grant { request, lease } => {
                    let (deployment, _) = self.waiting.remove(&request).expect("it waits, and is answered once");
                    assert_eq!(deployment, lease.deployment());
                    self.granted(lease);
                }
                Action::Refuse { request, refusal } => {
                    let (_, since) = self.waiting.remove(&request).expect("it waits, and is answered once");
                    if matches!(refusal, Refusal::TimedOut { .. }) {
                        assert!(self.now >= since + self.config.wait_max, "refused too early");
                    }
                }
                Action::Shrink { isolate } => {
                    assert!(self.is_idle(isolate), "a busy isolate is shrunk");
                    let stats = self.pool.stats();
                    let isolate = self.isolates.get_mut(&isolate).expect("it is idle");
                    let rests = self.now >= isolate.last_used + REST_MIN;
                    assert!(rests || stats.bytes > stats.limit_bytes / 8 * 7, "shrunk without need: {stats:?}");
                    assert!(!std::mem::replace(&mut isolate.shrunk, true), "it is shrunk once per use");
                }
                Action::EndWorker { worker } => {
                    let record = self.workers.remove(&worker).expect("a worker ends once");
                    assert!(record.leases == 0 && record.starting.is_none(), "a busy worker ends");
                    assert!(self.isolates.get_mut(&record.isolate).expect("it lives").workers.remove(&worker));
                }
                Action::EndIsolate { isolate, reason } => self.isolate_ends(isolate, reason),
            }
        }
        let stats = self.pool.stats();
        if built {
            assert!(stats.bytes <= stats.limit_bytes, "something was started beyond the limit: {stats:?}");
        }
    }

    fn insert_isolate(&mut self, id: IsolateId, owner: Option<(DeploymentId, Settings)>) {
        assert!(Some(id) > self.last_isolate.replace(id), "ids ascend");
        let isolate = HostIsolate {
            owner,
            bytes: None,
            workers: BTreeSet::new(),
            contexts: 0,
            uses: 0,
            leases: 0,
            last_used: self.now,
            shrunk: false,
            unfit: false,
        };
        self.isolates.insert(id, isolate);
    }

    fn start_ordered(&mut self, start: Start) {
        let settings = self.settings[&start.deployment];
        assert_eq!((start.tenant, start.version), (settings.tenant, settings.version), "an old version is started");
        let owner = (start.deployment, settings);
        if start.place != Place::Warm && settings.isolation != Isolation::Isolate {
            let shared = self.workers.values().any(|worker| {
                let isolate = &self.isolates[&worker.isolate];
                matches!(worker.starting, Some(Place::New | Place::Spare))
                    && isolate.owner == Some(owner)
                    && !isolate.unfit
            });
            assert!(!shared, "two starts of {:?} are under way", start.deployment);
        }
        match start.place {
            Place::New => self.insert_isolate(start.isolate, Some(owner)),
            Place::Spare => {
                assert!(!self.making.contains(&start.isolate), "the spare is not made yet");
                let spare = self.isolates.get_mut(&start.isolate).expect("the spare exists");
                assert!(spare.owner.is_none(), "a spare that was somebody's");
                spare.owner = Some(owner);
                spare.bytes = None;
            }
            Place::Warm => {
                assert_eq!(settings.isolation, Isolation::Context);
                let home = &self.isolates[&start.isolate];
                assert_eq!(home.owner, Some(owner), "a context in a foreign isolate");
                assert!(!home.unfit);
            }
        }
        let isolate = self.isolates.get_mut(&start.isolate).expect("inserted or found above");
        isolate.workers.insert(start.worker);
        isolate.contexts += 1;
        isolate.shrunk = false;
        assert!(isolate.contexts <= settings.reuses_max.get(), "{} contexts in one isolate", isolate.contexts);
        assert!(Some(start.worker) > self.last_worker.replace(start.worker), "ids ascend");
        let worker = HostWorker { isolate: start.isolate, starting: Some(start.place), leases: 0, uses: 0 };
        self.workers.insert(start.worker, worker);
    }

    fn is_idle(&self, id: IsolateId) -> bool {
        let isolate = &self.isolates[&id];
        let starting = isolate.workers.iter().any(|worker| self.workers[worker].starting.is_some());
        isolate.owner.is_some() && isolate.leases == 0 && !starting && !isolate.unfit
    }

    fn isolate_ends(&mut self, id: IsolateId, reason: EndReason) {
        let isolate = self.isolates.remove(&id).expect("an isolate ends once");
        assert!(isolate.workers.is_empty() && isolate.leases == 0, "a busy isolate ends");
        assert!(!self.making.contains(&id), "an isolate ends that is being made");
        if isolate.owner.is_none() {
            return;
        }
        if reason == EndReason::Memory && self.level != Pressure::Critical {
            assert!(isolate.shrunk, "evicted for memory without having been shrunk");
        }
        if matches!(reason, EndReason::Memory | EndReason::Displaced) {
            assert!(!isolate.unfit);
            if self.config.policy == EvictionPolicy::Lru {
                for other in self.isolates.keys().filter(|other| self.is_idle(**other)) {
                    assert!(self.isolates[other].last_used >= isolate.last_used, "{other:?} was to go before {id:?}");
                }
            }
        }
    }

    fn check(&self) {
        let stats = self.pool.stats();
        assert!(stats.isolates <= self.config.isolates_max, "{stats:?}");
        assert_eq!(stats.isolates, self.isolates.len());
        assert_eq!(stats.workers, self.workers.len());
        assert_eq!(stats.waiting, self.waiting.len());
        assert_eq!(stats.idle, self.isolates.keys().filter(|id| self.is_idle(**id)).count());
        assert_eq!(stats.spares, self.isolates.values().filter(|isolate| isolate.owner.is_none()).count());
        assert!(stats.starts <= self.config.starts_max);
        assert!(stats.spares <= self.config.spares_max);
        assert!(stats.waiting <= self.config.queue_max);
        assert!(stats.in_line <= self.settings.len());
        let measured: u64 = self.isolates.values().filter_map(|isolate| isolate.bytes).sum();
        let all_measured = self.isolates.values().all(|isolate| isolate.bytes.is_some());
        assert!(stats.bytes == measured || !all_measured && stats.bytes >= measured, "{stats:?}, not {measured}");
        for deployment in self.settings.keys() {
            let waiting = self.waiting.values().filter(|(other, _)| other == deployment).count();
            assert!(waiting <= self.config.queue_deployment_max);
            assert!(waiting == 0 || !self.has_capacity(*deployment), "{deployment:?} waits for nothing");
            let settings = self.settings[deployment];
            if settings.isolation != Isolation::Warm {
                let ours = self.leases.iter().filter(|lease| {
                    let isolate = &self.isolates[&lease.isolate()];
                    isolate.owner == Some((*deployment, settings))
                });
                assert!(ours.count() <= settings.concurrency_max.get() as usize, "too many requests at once");
            }
        }
    }

    /// Lets everything under way end well.
    fn finish(&mut self) {
        for _round in 0..200 {
            let starting: Vec<_> = self.starting().collect();
            let making: Vec<_> = self.making.iter().copied().collect();
            let leases = std::mem::take(&mut self.leases);
            if starting.is_empty() && making.is_empty() && leases.is_empty() {
                return;
            }
            for worker in starting {
                self.start_ends(worker, true, 2 * MIB);
                self.carry_out();
                self.check();
            }
            for isolate in making {
                self.make_ends(isolate, true);
                self.carry_out();
            }
            for lease in leases {
                self.release(lease, false);
                self.carry_out();
                self.check();
            }
        }
        panic!("it does not come to rest: {:?}", self.pool.stats());
    }

    /// After everything has ended, nothing is left.
    fn end(mut self, drain_early: bool) {
        if drain_early {
            self.pool.drain(self.now);
            self.carry_out();
            self.check();
        }
        self.finish();
        assert!(self.waiting.is_empty(), "requests wait for nothing: {:?} {:?}", self.waiting, self.pool.stats());
        // Memory comes to rest within seconds, and within as many steps as there is something to do.
        for _step in 0..100 {
            let Some(next) = self.pool.next_deadline().filter(|next| *next < self.now + Duration::from_mins(1)) else {
                break;
            };
            self.now = self.now.max(next);
            self.tick();
            self.carry_out();
            self.check();
        }
        let stats = self.pool.stats();
        assert!(stats.bytes <= stats.limit_bytes || stats.idle == 0, "{stats:?}");
        for (id, isolate) in &self.isolates {
            assert!(isolate.shrunk || !self.is_idle(*id), "{id:?} rests and was not shrunk");
        }
        self.pool.drain(self.now);
        self.carry_out();
        self.finish();
        for deployment in 0..DEPLOYMENTS {
            self.pool.remove(self.now, DeploymentId(deployment));
            self.carry_out();
        }
        let stats = self.pool.stats();
        let nothing = Stats { limit_bytes: stats.limit_bytes, ..Stats::default() };
        assert_eq!(stats, nothing);
        assert!(self.isolates.is_empty() && self.workers.is_empty() && self.making.is_empty());
        assert_eq!(self.pool.acquire(self.now, DeploymentId(0)), Acquired::Refused(Refusal::Draining));
    }
}

fn run(policy: EvictionPolicy, events: Vec<Event>, drain_early: bool) {
    let mut host = Host::new(policy);
    for event in events {
        host.apply(&event);
    }
    host.end(drain_early);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn promises_hold_with_the_default_policy(events in prop::collection::vec(event(), 1..300), drain in any::<bool>()) {
        run(EvictionPolicy::default(), events, drain);
    }

    #[test]
    fn promises_hold_and_the_least_goes_first(events in prop::collection::vec(event(), 1..300), drain in any::<bool>()) {
        run(EvictionPolicy::Lru, events, drain);
    }
}
