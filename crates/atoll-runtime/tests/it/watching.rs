//! Watches of workers that serve: whose they are, and how they end.

use crate::harness::{Recorder, app, block_on, files};
use atoll_engine::Reason;
use atoll_runtime::{ColdStarter, Deployment, DeploymentId, Limits, Pool, PoolConfig};
use atoll_web::IncomingRequest;
use http::Method;
use http_body_util::BodyExt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

const APP: &str = "
import fs from 'node:fs';
const told = [];
let own;
if (process.env.GREETING) own = fs.watch('/tmp', (type, name) => told.push(`module ${name}`));
export default {
  async fetch(request, env, ctx) {
    const { pathname, search } = new URL(request.url);
    const name = search.slice(1);
    const listener = (type, found) => told.push(`${name} ${found}`);
    switch (pathname) {
      case '/watch':
        fs.watch('/tmp', listener);
        fs.watch('/tmp', { recursive: true }, listener);
        fs.watchFile('/tmp/file', { interval: 1 }, () => told.push(`${name} file`));
        fs.promises.watch('/tmp').next().then(({ value }) => told.push(`${name} ${value.filename}`));
        return new Response('watching');
      case '/behind':
        ctx.waitUntil(new Promise((resolve) => fs.watch('/tmp', (_, found) => { listener(_, found); resolve(); })));
        return new Response('watching');
      case '/wait': {
        const found = await new Promise((resolve) => { const watcher = fs.watch('/tmp', (_, found) => { watcher.close(); resolve(found); }); });
        return new Response(found);
      }
      case '/later':
        // When this runs, the request is over.
        globalThis.later = () => { fs.watch('/tmp', listener); fs.promises.watch('/tmp').next(); fs.watchFile('/tmp/file', listener); };
        queueMicrotask(async () => { for (let index = 0; index < 100; index++) await null; later(); });
        return new Response('later');
      case '/write':
        fs.mkdirSync(`/tmp/${name}`);
        return new Response('written');
      case '/close':
        own.close();
        return new Response('closed');
      default:
        return new Response(told.splice(0).join());
    }
  },
};
";

struct Lab {
    pool: Rc<Pool>,
    deployment: Deployment,
    recorder: Arc<Recorder>,
    _directory: tempfile::TempDir,
}

impl Lab {
    fn new(limits: Limits) -> Self {
        let directory = files(&[("main.mjs", APP)]);
        let (app, recorder) = app(directory.path(), "main.mjs", limits);
        let pool = Pool::new(ColdStarter::new(1).expect("a thread"), PoolConfig::default(), None);
        Self { pool, deployment: Deployment { id: DeploymentId(1), app }, recorder, _directory: directory }
    }

    async fn text(&self, path: &str) -> String {
        let request = IncomingRequest::new(Method::GET, format!("http://test.localhost{path}"));
        let response = self.pool.fetch(&self.deployment, request).await.expect("a response");
        let body = response.into_body().collect().await.expect("a whole body").to_bytes();
        String::from_utf8_lossy(&body).into_owned()
    }

    /// What was told, after all that could be has been.
    async fn told(&self) -> String {
        tokio::time::sleep(Duration::from_millis(50)).await;
        self.text("/").await
    }
}

#[test]
fn watches_end_with_their_request() {
    block_on(async {
        // One request's watches and the module's own: what a request leaves behind would be too many for the next.
        let lab = Lab::new(Limits { watches: 8, ..Limits::SERVE });
        for round in 0..20 {
            assert_eq!(lab.text(&format!("/watch?{round}")).await, "watching", "{:?}", lab.recorder.problems());
        }
        assert_eq!(lab.text("/write?one").await, "written");
        assert_eq!(lab.told().await, "module one");
        assert_eq!(lab.text("/later").await, "later");
        lab.text("/write?two").await;
        assert_eq!(lab.told().await, "module two");
        assert!(lab.recorder.problems().is_empty(), "{:?}", lab.recorder.problems());
    });
}

#[test]
fn a_request_is_told_as_long_as_it_lasts() {
    block_on(async {
        let lab = Rc::new(Lab::new(Limits::SERVE));
        assert_eq!(lab.text("/close").await, "closed");
        let waiting = {
            let lab = Rc::clone(&lab);
            tokio::task::spawn_local(async move { lab.text("/wait").await })
        };
        while lab.pool.active() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        lab.text("/write?one").await;
        assert_eq!(waiting.await.expect("no panic"), "one");
        assert_eq!(lab.text("/behind?late").await, "watching");
        lab.text("/write?two").await;
        lab.text("/write?three").await;
        let told = lab.told().await;
        assert!(told.starts_with("late two"), "{told}");
        lab.text("/write?four").await;
        assert_eq!(lab.told().await, "");
    });
}

#[test]
fn a_module_that_watches_keeps_no_worker() {
    block_on(async {
        let lab = Lab::new(Limits::SERVE);
        lab.text("/write?one").await;
        assert_eq!(lab.told().await, "module one");
        // A release takes its place, and then the process ends: neither waits for what is watched.
        let begun = std::time::Instant::now();
        let next = Lab::new(Limits::SERVE);
        lab.pool.update([&next.deployment]);
        lab.pool.drain().await;
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
        assert_eq!(lab.deployment.app.metrics.kills[Reason::Deploy as usize].get(), 0);
        assert!(lab.recorder.problems().is_empty(), "{:?}", lab.recorder.problems());
    });
}
