//! Who gets a thread to itself.
//!
//! Executor threads run one turn at a time, so a deployment that computes for long in each turn makes all others of its
//! thread wait. It is moved to a *lane*, a thread beside the executors, as long as it does so. A deployment that takes
//! much time because it has many requests of little work each is no such case: it is spread over all executors, where each
//! turn delays others by no more than anybody else's, and one lane would be too narrow for it.
//!
//! Both are told apart by the mean length of their turns. Shares are decayed sums of CPU time, of which one thread is
//! 1.0. Only time in which others waited counts for going into a lane; for coming back, all time does, since in a lane
//! there are no others.
//!
//! One [`Lanes`] serves all threads, behind a lock: each thread adds up what it [`Spent`] and reports every so often.

use crate::decay::Decayed;
use crate::ids::{DeploymentId, IdMap};

use std::time::Duration;

/// Numbers by which lanes are given.
#[derive(Debug, Clone, PartialEq)]
pub struct LaneConfig {
    /// Threads that are lanes. If more deployments need one, they share the one that is used least.
    pub lanes: u32,
    /// Share of a thread, taken while others waited, above which a deployment goes into a lane.
    pub enter_share: f64,
    /// Share of a thread below which a deployment in a lane has calmed down. Well below `enter_share`, so that a steady load
    /// isn't moved to and fro.
    pub leave_share: f64,
    /// Mean CPU time of a turn below which a deployment is hot rather than greedy.
    pub turn_min: Duration,
    /// CPU time of one report, taken while others waited in turns that are not short, that leads into a lane at once: a thread
    /// reports sooner than that, unless one turn takes as long.
    pub stall: Duration,
    /// Time in which past CPU time loses half of its weight.
    pub half_life: Duration,
    /// How long a deployment stays in a lane at least: moving costs a cold start.
    pub stay_min: Duration,
}

impl Default for LaneConfig {
    fn default() -> Self {
        Self {
            lanes: 1,
            // Half of a thread: with less, others get as much as the greedy one.
            enter_share: 0.5,
            leave_share: 0.2,
            // A hundred times what an ordinary turn takes.
            turn_min: Duration::from_millis(5),
            // What others notice even if it happens once.
            stall: Duration::from_millis(250),
            half_life: Duration::from_secs(5),
            stay_min: Duration::from_secs(30),
        }
    }
}

/// A lane, counted from zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneId(pub u32);

/// Where a deployment's requests are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Placement {
    /// On all executor threads.
    Spread,
    /// On one lane.
    Lane(LaneId),
}

/// A deployment's placement has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    /// Whose.
    pub deployment: DeploymentId,
    /// Where new requests go. Those under way end where they are.
    pub to: Placement,
}

/// What a deployment spent on one thread since the thread's last report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    /// Turns.
    pub turns: u32,
    /// Their CPU time.
    pub cpu: Duration,
    /// CPU time of those turns during which others were ready to run on the thread.
    pub contended_cpu: Duration,
}

impl Spent {
    /// Adds one turn.
    pub fn turn(&mut self, cpu: Duration, others_wait: bool) {
        self.turns += 1;
        self.cpu += cpu;
        if others_wait {
            self.contended_cpu += cpu;
        }
    }
}

/// A deployment below this share of a thread, and not in a lane, is forgotten: it would take a long time to matter.
const NEGLIGIBLE_SHARE: f64 = 0.001;

#[derive(Debug, Default)]
struct Load {
    cpu: Decayed,
    contended: Decayed,
    turns: Decayed,
    /// The lane, and since when.
    lane: Option<(LaneId, Duration)>,
}

/// Assigns deployments to lanes. See the module's documentation.
#[derive(Debug)]
pub struct Lanes {
    config: LaneConfig,
    loads: IdMap<DeploymentId, Load>,
}

impl Lanes {
    /// No deployment is in a lane.
    pub fn new(config: LaneConfig) -> Self {
        Self { config, loads: IdMap::default() }
    }

    /// Where to serve a deployment's requests.
    pub fn placement(&self, deployment: DeploymentId) -> Placement {
        let lane = self.loads.get(&deployment).and_then(|load| load.lane);
        lane.map_or(Placement::Spread, |(lane, _)| Placement::Lane(lane))
    }

    /// Takes in what a thread spent on a deployment. Tells if the deployment is to be served elsewhere from now on.
    pub fn report(&mut self, now: Duration, deployment: DeploymentId, spent: Spent) -> Option<Move> {
        let half_life = self.config.half_life;
        let load = self.loads.entry(deployment).or_default();
        load.cpu.add(now, spent.cpu.as_secs_f64(), half_life);
        load.contended.add(now, spent.contended_cpu.as_secs_f64(), half_life);
        load.turns.add(now, f64::from(spent.turns), half_life);
        let greedy = load.contended.per_second(now, half_life) >= self.config.enter_share
            && load.cpu.value(now, half_life) >= self.config.turn_min.as_secs_f64() * load.turns.value(now, half_life);
        let stalls =
            spent.contended_cpu >= self.config.stall && spent.cpu >= self.config.turn_min.saturating_mul(spent.turns);
        if load.lane.is_some() || !(greedy || stalls) {
            return None;
        }
        let lane = self.least_loaded(now)?;
        self.loads.get_mut(&deployment)?.lane = Some((lane, now));
        Some(Move { deployment, to: Placement::Lane(lane) })
    }

    /// Brings back deployments that have calmed down, and forgets those that don't matter any more. Call it at
    /// [`Lanes::next_deadline`].
    pub fn review(&mut self, now: Duration) -> Vec<Move> {
        let mut moves = Vec::new();
        for (deployment, load) in &mut self.loads {
            if let Some(due) = leaves_at(&self.config, load)
                && due <= now
            {
                load.lane = None;
                // It has to earn its next lane anew, with what it does among others.
                load.contended = Decayed::default();
                moves.push(Move { deployment: *deployment, to: Placement::Spread });
            }
        }
        let half_life = self.config.half_life;
        self.loads.retain(|_, load| load.lane.is_some() || load.cpu.per_second(now, half_life) >= NEGLIGIBLE_SHARE);
        moves.sort_unstable_by_key(|change| change.deployment);
        moves
    }

    /// When [`Lanes::review`] will bring a deployment back, if nothing more is reported of it.
    pub fn next_deadline(&self) -> Option<Duration> {
        self.loads.values().filter_map(|load| leaves_at(&self.config, load)).min()
    }

    /// Deployments of which a load is remembered.
    pub fn tracked(&self) -> usize {
        self.loads.len()
    }

    /// Forgets a deployment that was removed.
    pub fn remove(&mut self, deployment: DeploymentId) {
        self.loads.remove(&deployment);
    }

    /// The lane whose deployments take the least together.
    fn least_loaded(&self, now: Duration) -> Option<LaneId> {
        let share = |lane: LaneId| {
            let loads = self.loads.values().filter(|load| load.lane.is_some_and(|(other, _)| other == lane));
            loads.map(|load| load.cpu.per_second(now, self.config.half_life)).sum::<f64>()
        };
        (0..self.config.lanes).map(LaneId).min_by(|one, other| share(*one).total_cmp(&share(*other)))
    }
}

/// When a deployment in a lane will have calmed down, if it spends nothing more.
fn leaves_at(config: &LaneConfig, load: &Load) -> Option<Duration> {
    let (_, since) = load.lane?;
    Some(load.cpu.falls_to(config.leave_share, config.half_life).max(since + config.stay_min))
}
