//! Memory that runs short, as told by the kernel: told by the test in its stead.

use crate::harness::{Lab, receive, status};
use atoll_runtime::{Limits, Pressure};

const APP: &str = "let count = 0;
const kept = new Array(4_000_000).fill(0.5);
export default {
  async fetch(request) {
    count++;
    if (new URL(request.url).pathname === '/slow') await new Promise((resolve) => setTimeout(resolve, 1500));
    return new Response(`${count} ${kept.length}`);
  },
};
";

/// A limit is never cut below a sixteenth of the budget, which these workers exceed together.
#[test]
fn idle_workers_go_and_everyone_is_served() {
    let names: Vec<String> = (0..8).map(|number| format!("app-{number}")).collect();
    let apps: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), APP)).collect();
    let lab = Lab::new(&apps, Limits::SERVE);
    for expected in ["1 4000000", "2 4000000"] {
        for name in &names {
            assert_eq!(lab.get(name, "/"), (200, expected.to_owned()), "{name}");
        }
    }
    let limit = lab.metric("atoll_pool_limit_bytes", &[]);
    let bytes = lab.metric("atoll_isolate_bytes", &[]);
    assert_eq!(lab.metric("atoll_isolates", &["state=\"idle\""]), 8);
    assert_eq!(lab.metric("atoll_isolates_ended_total", &["reason=\"memory\""]), 0);

    // One is busy meanwhile.
    let slow = lab.send("app-0", "GET /slow", "");
    Lab::until("it is under way", || lab.metric("atoll_isolates", &["state=\"busy\""]) == 1);
    lab.pressure.tell(Pressure::Critical);
    Lab::until("idle workers go", || lab.metric("atoll_isolates_ended_total", &["reason=\"memory\""]) >= 3);
    assert!(lab.metric("atoll_pool_limit_bytes", &[]) < limit / 2);
    assert!(lab.metric("atoll_isolate_bytes", &[]) < bytes / 10 * 7);
    let (head, body) = receive(slow);
    assert_eq!((status(&head), body.as_str()), (200, "3 4000000"), "who is busy is left alone");

    // All are served, also under pressure; those that went begin anew.
    let answers: Vec<String> = names[1..].iter().map(|name| lab.get(name, "/").1).collect();
    assert!(answers.iter().all(|answer| answer == "1 4000000" || answer == "3 4000000"), "{answers:?}");
    assert!(answers.iter().any(|answer| answer == "1 4000000"), "{answers:?}");
    assert_eq!(lab.log.problems(), [""; 0], "an eviction is no end by force");
    assert_eq!(lab.metric("atoll_kills_total", &[]), 0);
    lab.stop();
}
