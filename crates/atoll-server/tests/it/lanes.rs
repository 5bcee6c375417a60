//! Guests that compute for long get a thread beside the others.

use crate::harness::{Lab, receive, status};
use atoll_runtime::Limits;
use std::time::Duration;

const BURNER: &str = "
let kept;
const burn = (ms) => { const end = performance.now() + ms; while (performance.now() < end) kept = {}; };
export default {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === '/endless') for (;;) {}
    if (pathname === '/wait') await new Promise((resolve) => setTimeout(resolve, 1000));
    if (pathname === '/echo') {
      const text = await request.text();
      let left = 3;
      return new Response(new ReadableStream({ pull(c) { c.enqueue(new TextEncoder().encode(text)); if (--left === 0) c.close(); } }));
    }
    burn(Number(pathname.slice(1)) || 1);
    return new Response('burnt');
  },
};
";

const NEIGHBOUR: &str = "let count = 0; export default { fetch: () => new Response(`${++count}`) };";

const LIMITS: Limits = Limits { request_cpu: Duration::from_secs(20), ..Limits::SERVE };

/// A server whose burner is in a lane.
fn burning(limits: Limits) -> Lab {
    let lab = Lab::new(&[("burner", BURNER), ("neighbour", NEIGHBOUR)], limits);
    assert_eq!(lab.metric("atoll_lane_deployments", &[]), 0);
    Lab::until("the burner goes into a lane", || {
        assert_eq!(lab.get("burner", "/150").1, "burnt");
        lab.get("neighbour", "/");
        lab.metric("atoll_lane_deployments", &[]) > 0
    });
    lab
}

#[test]
fn a_burner_goes_into_a_lane_and_delays_nobody() {
    let lab = burning(LIMITS);
    // Started in the lane by now.
    assert_eq!(lab.get("burner", "/1"), (200, "burnt".to_owned()));
    let slow = lab.send("burner", "GET /3000", "");
    let waiting = std::thread::spawn(move || receive(slow));
    // The only executor thread would not come to these before the burner is done.
    for _ in 0..20 {
        assert_eq!(lab.get("neighbour", "/").0, 200);
    }
    assert!(!waiting.is_finished(), "the neighbour was answered meanwhile");
    let (head, body) = waiting.join().expect("an answer");
    assert_eq!((status(&head), body.as_str()), (200, "burnt"));
    assert_eq!(lab.log.problems(), [""; 0]);
    lab.stop();
}

#[test]
fn bodies_and_ends_by_force_cross_the_threads() {
    let lab = burning(Limits { request_cpu: Duration::from_millis(400), ..LIMITS });
    let text = "ä".repeat(100_000);
    let (head, body) = receive(lab.send("burner", "POST /echo", &text));
    assert_eq!(status(&head), 200);
    assert_eq!(body.len(), 3 * text.len());
    let (head, _) = receive(lab.send("burner", "GET /endless", ""));
    assert_eq!(status(&head), 503);
    assert!(head.contains("atoll-termination: cpu;limit=400;amount="), "{head}");
    assert_eq!(lab.metric("atoll_kills_total", &["deployment=\"burner\"", "reason=\"cpu\""]), 1);
    assert_eq!(lab.get("burner", "/1"), (200, "burnt".to_owned()), "by a fresh worker");
    // What is under way in a lane is answered before the server ends.
    let slow = lab.send("burner", "GET /wait", "");
    Lab::until("it is under way", || lab.metric("atoll_isolates", &["deployment=\"burner\"", "state=\"busy\""]) > 0);
    lab.stop();
    let (head, body) = receive(slow);
    assert_eq!((status(&head), body.as_str()), (200, "burnt"));
}
