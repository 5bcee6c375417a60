//! Workers whose release was replaced or whose process ends, and bodies that stand still.

use crate::harness::{Recorder, app, block_on, files};
use atoll_engine::{Reason, Termination};
use atoll_runtime::{ColdStarter, Deployment, DeploymentId, Limits, Pool, PoolConfig, PoolError, RequestError};
use atoll_web::{IncomingRequest, ResponseBody};
use http::{Method, Response};
use http_body_util::BodyExt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

const APP: &str = "
const never = () => new Promise(() => setInterval(() => {}, 1000));
let count = 0;
export default {
  async fetch(request, env, ctx) {
    const { pathname } = new URL(request.url);
    count++;
    request.signal.addEventListener('abort', () => console.log('aborted', pathname));
    switch (pathname) {
      case '/never':
        console.log('the last words');
        return never();
      case '/behind':
        ctx.waitUntil(never());
        return new Response('answered');
      case '/slow':
        await new Promise((resolve) => setTimeout(resolve, 300));
        return new Response(`slow ${count}`);
      case '/still':
        return new Response(new ReadableStream({ start(c) { c.enqueue(new TextEncoder().encode('one')); } }));
      case '/full':
        return new Response(new ReadableStream({ pull(c) { c.enqueue(new Uint8Array(10)); } }));
      case '/moving': {
        let left = 8;
        return new Response(new ReadableStream({
          async pull(c) {
            await new Promise((resolve) => setTimeout(resolve, 100));
            c.enqueue(new TextEncoder().encode('x'));
            if (--left === 0) c.close();
          },
        }));
      }
      default:
        return new Response(`count ${count}`);
    }
  },
};
";

const LIMITS: Limits = Limits { retirement: Duration::from_millis(200), ..Limits::SERVE };

/// A pool, and an app that can be deployed anew.
struct Lab {
    pool: Rc<Pool>,
    directory: tempfile::TempDir,
}

impl Lab {
    fn new() -> Self {
        let pool = Pool::new(ColdStarter::new(1).expect("a thread"), PoolConfig::default(), None);
        Self { pool, directory: files(&[("main.mjs", APP)]) }
    }

    fn release(&self, limits: Limits) -> (Deployment, Arc<Recorder>) {
        let (app, recorder) = app(self.directory.path(), "main.mjs", limits);
        (Deployment { id: DeploymentId(1), app }, recorder)
    }

    async fn get(&self, deployment: &Deployment, path: &str) -> Result<Response<ResponseBody>, PoolError> {
        let request = IncomingRequest::new(Method::GET, format!("http://test.localhost{path}"));
        self.pool.fetch(deployment, request).await
    }

    async fn text(&self, deployment: &Deployment, path: &str) -> String {
        let response = self.get(deployment, path).await.expect("a response");
        let body = response.into_body().collect().await.expect("a whole body").to_bytes();
        String::from_utf8_lossy(&body).into_owned()
    }

    /// A request that is under way when this returns.
    fn begin(self: &Rc<Self>, deployment: &Deployment, path: &'static str) -> Begun {
        let (lab, deployment) = (Rc::clone(self), deployment.clone());
        tokio::task::spawn_local(async move { lab.get(&deployment, path).await })
    }
}

type Begun = tokio::task::JoinHandle<Result<Response<ResponseBody>, PoolError>>;

/// Waits until something holds.
async fn until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(20), "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Why a request was ended.
async fn ended(begun: Begun) -> Termination {
    match begun.await.expect("no panic") {
        Err(PoolError::Request(RequestError::Terminated(termination))) => termination,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_replaced_release_has_its_time_and_then_ends() {
    block_on(async {
        let lab = Rc::new(Lab::new());
        let (old, old_recorder) = lab.release(LIMITS);
        let pending = lab.begin(&old, "/never");
        until("the handler runs", || old_recorder.lines() == ["the last words"]).await;
        let (new, new_recorder) = lab.release(LIMITS);
        // No request is needed for the thread to know.
        lab.pool.update([&new]);
        let replaced = Instant::now();
        assert_eq!(lab.text(&new, "/").await, "count 1", "the new release serves meanwhile");
        let termination = ended(pending).await;
        assert!(replaced.elapsed() >= Duration::from_millis(200), "{:?}", replaced.elapsed());
        assert_eq!((termination.reason, termination.limit), (Reason::Deploy, 200));
        assert!(termination.amount >= 200, "{termination}");
        assert_eq!(old_recorder.problems().len(), 1, "{:?}", old_recorder.problems());
        assert_eq!(lab.text(&new, "/").await, "count 2");
        assert_eq!(new_recorder.problems(), [""; 0]);
    });
}

#[test]
fn what_ends_in_time_and_what_is_idle_is_not_ended_by_force() {
    block_on(async {
        let lab = Rc::new(Lab::new());
        let (old, recorder) = lab.release(Limits { retirement: Duration::from_secs(30), ..LIMITS });
        assert_eq!(lab.text(&old, "/").await, "count 1");
        let slow = lab.begin(&old, "/slow");
        until("it is under way", || lab.pool.active() == 1).await;
        let (new, _) = lab.release(LIMITS);
        lab.pool.update([&new]);
        assert_eq!(lab.text(&new, "/").await, "count 1");
        let body = slow.await.expect("no panic").expect("a response").into_body().collect().await.expect("a body");
        assert_eq!(body.to_bytes(), "slow 2");
        // Now the new one is idle, and is replaced as well.
        let (newest, _) = lab.release(LIMITS);
        lab.pool.update([&newest]);
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(lab.text(&newest, "/").await, "count 1");
        assert_eq!(recorder.problems(), [""; 0]);
    });
}

#[test]
fn background_work_of_a_replaced_release_is_ended_and_told() {
    block_on(async {
        let lab = Rc::new(Lab::new());
        let (old, recorder) = lab.release(LIMITS);
        assert_eq!(lab.text(&old, "/behind").await, "answered");
        let (new, _) = lab.release(LIMITS);
        lab.pool.update([&new]);
        until("it is told", || !recorder.problems().is_empty()).await;
        let problems = recorder.problems();
        assert!(problems.len() == 1 && problems[0].contains("Deploy, limit: 200"), "{problems:?}");
        until("nothing is left", || lab.pool.active() == 0).await;
    });
}

#[test]
fn a_process_that_ends_answers_whoever_waits() {
    block_on(async {
        let lab = Rc::new(Lab::new());
        let (deployment, recorder) = lab.release(LIMITS);
        let pending = lab.begin(&deployment, "/never");
        until("the handler runs", || recorder.lines().len() == 1).await;
        lab.pool.give_notice(Duration::from_millis(100));
        let termination = ended(pending).await;
        assert_eq!((termination.reason, termination.limit), (Reason::Deploy, 100));
        lab.pool.drain().await;
        assert_eq!(lab.pool.active(), 0);
    });
}

#[test]
fn a_body_that_stands_still_is_cut_off() {
    block_on(async {
        let lab = Rc::new(Lab::new());
        let (deployment, recorder) = lab.release(Limits { idle: Duration::from_millis(400), ..LIMITS });
        // The guest writes nothing more.
        let still = lab.get(&deployment, "/still").await.expect("a response");
        // The client takes nothing.
        let full = lab.get(&deployment, "/full").await.expect("a response");
        // And one that moves, for longer than that.
        assert_eq!(lab.text(&deployment, "/moving").await, "xxxxxxxx");
        assert!(still.into_body().collect().await.is_err(), "it does not look whole");
        until("both are told", || recorder.problems().len() == 2).await;
        let problems = recorder.problems();
        assert!(problems.iter().all(|problem| problem.contains("Idle, limit: 400")), "{problems:?}");
        until("the guest knows", || recorder.lines().len() == 2).await;
        assert_eq!(lab.text(&deployment, "/").await, "count 4", "by the same worker");
        until("nothing is left", || lab.pool.active() == 0).await;
        drop(full);
    });
}
