//! `atoll serve --metrics`: what the operator's monitoring reads.

use crate::harness::Scene;
use crate::server::{Server, get_at};
use std::net::SocketAddr;
use std::str::FromStr;

const APP: &str = "let kept;
export default {
  async fetch(request) {
    switch (new URL(request.url).pathname) {
      case '/throw': throw new Error('x');
      case '/missing': return new Response('no', { status: 404 });
      case '/cpu': for (;;) {}
      case '/compute': { const end = performance.now() + 60; while (performance.now() < end) kept = {}; return new Response('computed'); }
      case '/reach': return fetch(request.headers.get('host')).then(() => new Response('reached'), () => new Response('out of reach'));
      default: return new Response('fine');
    }
  },
};
";

fn metrics_address(server: &Server) -> SocketAddr {
    let (out, _) = server.wait_for(|out, _| out.contains("/metrics"));
    let from = out.find("metrics at http://").map(|at| &out[at + "metrics at http://".len()..]).expect("it is said");
    from.split('/').next().and_then(|address| address.parse().ok()).expect("an address")
}

/// The number of a sample, by its name and labels.
#[track_caller]
fn sample<N: FromStr>(metrics: &str, name: &str) -> N {
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no {name} in\n{metrics}"))
}

#[test]
fn what_happens_is_counted_by_deployment() {
    let scene = Scene::new(&[("index.mjs", APP)]);
    let server = Server::start(
        &scene,
        &["--metrics", "127.0.0.1:0", "--threads", "1", "--cpu-ms", "200", "--max-reuses", "1000"],
    );
    let address = metrics_address(&server);
    let read = || get_at(address, "GET /metrics HTTP/1.1\r\nhost: monitoring");
    let before = read();
    assert_eq!((before.status, before.header("content-type")), (200, Some("text/plain; version=0.0.4; charset=utf-8")));
    assert_eq!(sample::<u64>(&before.body, "atoll_responses_total{deployment=\"app\",status=\"2xx\"}"), 0);

    for (path, status) in
        [("/", 200), ("/", 200), ("/missing", 404), ("/throw", 500), ("/compute", 200), ("/cpu", 503), ("/", 200)]
    {
        assert_eq!(server.get(path).status, status, "{path}");
    }
    let after = read().body;
    for (name, number) in [
        ("atoll_responses_total{deployment=\"app\",status=\"2xx\"}", 4),
        ("atoll_responses_total{deployment=\"app\",status=\"4xx\"}", 1),
        ("atoll_responses_total{deployment=\"app\",status=\"5xx\"}", 2),
        ("atoll_kills_total{deployment=\"app\",reason=\"cpu\"}", 1),
        ("atoll_kills_total{deployment=\"app\",reason=\"heap\"}", 0),
        ("atoll_refusals_total{deployment=\"app\",reason=\"queue_full\"}", 0),
        // The one before the port was opened, and the one after the end.
        ("atoll_starts_total{deployment=\"app\",made=\"isolate\"}", 2),
        ("atoll_starts_total{deployment=\"app\",made=\"failed\"}", 0),
        ("atoll_isolates_ended_total{deployment=\"app\",reason=\"limit\"}", 1),
        ("atoll_isolates{deployment=\"app\",state=\"idle\"}", 1),
        ("atoll_isolates{deployment=\"app\",state=\"busy\"}", 0),
        ("atoll_waiting_requests{deployment=\"app\"}", 0),
    ] {
        assert_eq!(sample::<u64>(&after, name), number, "{name}");
    }
    let cpu: f64 = sample(&after, "atoll_cpu_seconds_total{deployment=\"app\"}");
    assert!((0.2..10.0).contains(&cpu), "{cpu}");
    assert!(sample::<f64>(&after, "atoll_start_seconds_total{deployment=\"app\"}") > 0.0);
    assert!(sample::<u64>(&after, "atoll_isolate_bytes{deployment=\"app\"}") > 1 << 20);
    assert!(sample::<u64>(&after, "atoll_pool_limit_bytes") >= sample::<u64>(&after, "atoll_pool_bytes"));
    assert!(sample::<u64>(&after, "process_resident_memory_bytes") > 1 << 20);
    // One thread and the lanes.
    assert!(sample::<u64>(&after, "atoll_threads{state=\"answering\"}") >= 1);
    assert_eq!(sample::<u64>(&after, "atoll_threads{state=\"computing\"}"), 0);
}

#[test]
fn it_is_the_operators_and_nobody_elses() {
    let scene = Scene::new(&[("index.mjs", APP)]);
    scene.write(
        "../atoll.toml",
        "[server]\nthreads = 1\n[metrics]\nlisten = '127.0.0.1:0'\n[[deployments]]\ndirectory = 'app'\nhosts = ['app.localhost']\n",
    );
    let server = Server::start(&scene, &["--config", "../atoll.toml"]);
    let address = metrics_address(&server);
    assert_ne!(address.port(), server.port);
    // On the guests' listener the path is the guest's.
    assert_eq!(server.get_from("app.localhost", "/metrics").body, "fine");
    for (request, status) in [
        ("GET / HTTP/1.1\r\nhost: x", 404),
        ("GET /metrics/ HTTP/1.1\r\nhost: x", 404),
        ("POST /metrics HTTP/1.1\r\nhost: x", 405),
        ("HEAD /metrics HTTP/1.0\r\nhost: x", 200),
        ("nonsense", 400),
    ] {
        assert_eq!(get_at(address, request).status, status, "{request}");
    }
    let answer = server.get_from(&format!("http://{address}/metrics"), "/reach");
    assert_ne!(answer.body, "reached");
    // Nobody's request, and no deployment's.
    assert_eq!(server.get_from("nobody.example", "/").status, 404);
    let metrics = get_at(address, "GET /metrics HTTP/1.1\r\nhost: x").body;
    assert!(sample::<u64>(&metrics, "atoll_unrouted_responses_total{status=\"4xx\"}") >= 1);
}

#[test]
fn a_thread_that_computes_is_not_waited_for() {
    let scene = Scene::new(&[("index.mjs", APP)]);
    let server = Server::start(&scene, &["--metrics", "127.0.0.1:0", "--threads", "1", "--cpu-ms", "4000"]);
    let address = metrics_address(&server);
    let read = || get_at(address, "GET /metrics HTTP/1.1\r\nhost: x").body;
    server.get("/");
    let known: u64 = sample(&read(), "atoll_isolates{deployment=\"app\",state=\"idle\"}");
    assert_eq!(known, 1);
    let stream = server.send("127.0.0.1", "GET /cpu");
    let mut metrics = read();
    while sample::<u64>(&metrics, "atoll_threads{state=\"computing\"}") == 0 {
        metrics = read();
    }
    assert_eq!(sample::<u64>(&metrics, "atoll_kills_total{deployment=\"app\",reason=\"cpu\"}"), 0, "{metrics}");
    assert_eq!(sample::<u64>(&metrics, "atoll_isolates{deployment=\"app\",state=\"idle\"}"), 1, "as it was");
    drop(stream);
}

#[test]
fn an_address_in_use_is_named() {
    let holder = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = holder.local_addr().expect("an address");
    let scene = Scene::new(&[("index.mjs", APP)]);
    let shown = scene.atoll(&["serve", "--port", "0", "--metrics", &address.to_string()]);
    assert!(shown.contains(&format!("port {} on 127.0.0.1 is in use", address.port())), "{shown}");
}
