//! Who gets a lane: the greedy, not the hot.

use atoll_pool::*;
use std::time::Duration;

const GREEDY: DeploymentId = DeploymentId(1);
const HOT: DeploymentId = DeploymentId(2);

/// Reports, each 100 ms from `from_s` to `to_s`, what one thread spent: turns of this length that took this share of it.
fn spend(
    lanes: &mut Lanes,
    deployment: DeploymentId,
    seconds: std::ops::Range<u64>,
    turn: Duration,
    share: f64,
    others_wait: bool,
) -> Option<(Duration, Move)> {
    let turns = (share * 0.1 / turn.as_secs_f64()).max(1.0) as u32;
    let mut first = None;
    for tenth in seconds.start * 10..seconds.end * 10 {
        let now = Duration::from_millis(tenth * 100);
        let mut spent = Spent::default();
        for _ in 0..turns {
            spent.turn(turn, others_wait);
        }
        let change = lanes.report(now, deployment, spent);
        first = first.or(change.map(|change| (now, change)));
    }
    first
}

#[test]
fn long_turns_among_others_lead_to_a_lane_and_calm_back() {
    let mut lanes = Lanes::new(LaneConfig::default());
    let change = spend(&mut lanes, GREEDY, 0..20, Duration::from_millis(80), 0.8, true);
    let (when, change) = change.expect("a lane");
    assert_eq!(change, Move { deployment: GREEDY, to: Placement::Lane(LaneId(0)) });
    assert!((Duration::from_secs(2)..Duration::from_secs(15)).contains(&when), "{when:?}");
    assert_eq!(lanes.placement(GREEDY), change.to);

    // As greedy as ever, but alone in its lane: it stays.
    assert_eq!(spend(&mut lanes, GREEDY, 20..60, Duration::from_millis(80), 0.8, false), None);
    assert_eq!(lanes.review(Duration::from_mins(1)), []);

    let back = lanes.next_deadline().expect("it will have calmed down");
    assert!((Duration::from_secs(65)..Duration::from_secs(80)).contains(&back), "{back:?}");
    assert_eq!(lanes.review(back), [Move { deployment: GREEDY, to: Placement::Spread }]);
    assert_eq!(lanes.placement(GREEDY), Placement::Spread);
    assert_eq!(lanes.next_deadline(), None);
}

#[test]
fn one_turn_that_all_notice_leads_to_a_lane_at_once() {
    let stall = LaneConfig::default().stall;
    for (turn, others_wait, moves) in [(stall, true, true), (stall / 2, true, false), (stall * 4, false, false)] {
        let mut lanes = Lanes::new(LaneConfig::default());
        let mut spent = Spent::default();
        spent.turn(turn, others_wait);
        let change = lanes.report(Duration::from_mins(1), GREEDY, spent);
        assert_eq!(change.is_some(), moves, "{turn:?}, others wait: {others_wait}");
        assert_eq!(lanes.placement(GREEDY) != Placement::Spread, moves);
    }
    // A response that streams for long reports its short turns together.
    let mut lanes = Lanes::new(LaneConfig::default());
    let spent = Spent { turns: 10_000, cpu: stall * 2, contended_cpu: stall * 2 };
    assert_eq!(lanes.report(Duration::from_mins(1), GREEDY, spent), None);
}

#[test]
fn a_steady_load_is_not_moved_to_and_fro() {
    let mut lanes = Lanes::new(LaneConfig::default());
    assert!(spend(&mut lanes, GREEDY, 0..30, Duration::from_millis(60), 0.6, true).is_some());
    // In the lane, below what led there, above what leads back.
    for second in 30..120 {
        assert_eq!(spend(&mut lanes, GREEDY, second..second + 1, Duration::from_millis(30), 0.3, false), None);
        assert_eq!(lanes.review(Duration::from_secs(second)), []);
    }
}

#[test]
fn many_short_turns_are_spread_however_many() {
    let mut lanes = Lanes::new(LaneConfig::default());
    // Two threads full of it.
    for _thread in 0..2 {
        assert_eq!(spend(&mut lanes, HOT, 0..30, Duration::from_micros(50), 1.0, true), None);
    }
    assert_eq!(lanes.placement(HOT), Placement::Spread);
}

#[test]
fn nobody_is_moved_who_disturbs_nobody() {
    let mut lanes = Lanes::new(LaneConfig::default());
    assert_eq!(spend(&mut lanes, GREEDY, 0..60, Duration::from_millis(100), 1.0, false), None);
}

#[test]
fn the_greedy_share_lanes_when_there_are_too_few() {
    let mut lanes = Lanes::new(LaneConfig { lanes: 2, ..LaneConfig::default() });
    let mut placements = Vec::new();
    for (number, share) in [(0, 1.0), (1, 0.7), (2, 0.7)] {
        let change = spend(&mut lanes, DeploymentId(number), 0..20, Duration::from_millis(10), share, true);
        placements.push(change.expect("a lane").1.to);
    }
    assert_eq!(placements[0], Placement::Lane(LaneId(0)));
    assert_eq!(placements[1], Placement::Lane(LaneId(1)));
    assert_eq!(placements[2], Placement::Lane(LaneId(1)), "the one that is used less");
    let mut none = Lanes::new(LaneConfig { lanes: 0, ..LaneConfig::default() });
    assert_eq!(spend(&mut none, GREEDY, 0..20, Duration::from_millis(70), 0.9, true), None);
}

#[test]
fn what_does_not_matter_is_forgotten() {
    let mut lanes = Lanes::new(LaneConfig::default());
    for number in 0..100 {
        spend(&mut lanes, DeploymentId(number), 0..1, Duration::from_micros(50), 0.01, true);
    }
    assert_eq!(lanes.tracked(), 100);
    lanes.review(Duration::from_mins(1));
    assert_eq!(lanes.tracked(), 0);
}
