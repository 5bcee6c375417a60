//! Compiled code that is kept from one start to the next, and what becomes of it when somebody tampers with it.

use crate::harness::{Recorder, block_on, files};
use atoll_engine::{CodeCache, Ripeness};
use atoll_runtime::{App, ColdStarter, Deployment, DeploymentId, Exit, Limits, Pool, PoolConfig, SealedCache, Worker};
use atoll_web::IncomingRequest;
use http::Method;
use http_body_util::BodyExt;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A cache that remembers what happened to it.
struct Observed<C> {
    cache: C,
    /// Keys that were found.
    hits: AtomicUsize,
    /// Lengths of what was made, in order.
    made: Mutex<Vec<(Ripeness, usize)>>,
    /// How often V8 did not take what was found.
    refused: AtomicUsize,
}

impl<C> Observed<C> {
    fn of(cache: C) -> Arc<Self> {
        Arc::new(Self { cache, hits: AtomicUsize::new(0), made: Mutex::default(), refused: AtomicUsize::new(0) })
    }

    /// Hits, pieces of code made, and refusals since the last call.
    fn counts(&self) -> (usize, usize, usize) {
        let made = std::mem::take(&mut *self.made.lock().expect("no panic")).len();
        (self.hits.swap(0, Ordering::Relaxed), made, self.refused.swap(0, Ordering::Relaxed))
    }
}

impl<C: CodeCache> CodeCache for Observed<C> {
    fn get(&self, key: &[u8; 32]) -> Option<Arc<[u8]>> {
        let code = self.cache.get(key);
        self.hits.fetch_add(usize::from(code.is_some()), Ordering::Relaxed);
        code
    }

    fn wants(&self, key: &[u8; 32], ripeness: Ripeness) -> bool {
        self.cache.wants(key, ripeness)
    }

    fn put(&self, key: &[u8; 32], ripeness: Ripeness, code: &[u8]) {
        self.made.lock().expect("no panic").push((ripeness, code.len()));
        self.cache.put(key, ripeness, code);
    }

    fn refuse(&self, key: &[u8; 32]) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        self.cache.refuse(key);
    }
}

/// A cache that believes everything.
#[derive(Default)]
struct Credulous {
    kept: Mutex<HashMap<[u8; 32], Vec<u8>>>,
    refused: Mutex<Vec<[u8; 32]>>,
}

impl CodeCache for Credulous {
    fn get(&self, key: &[u8; 32]) -> Option<Arc<[u8]>> {
        self.kept.lock().expect("no panic").get(key).map(|code| Arc::from(&code[..]))
    }

    fn wants(&self, key: &[u8; 32], _ripeness: Ripeness) -> bool {
        !self.kept.lock().expect("no panic").contains_key(key) || self.refused.lock().expect("no panic").contains(key)
    }

    fn put(&self, key: &[u8; 32], _ripeness: Ripeness, code: &[u8]) {
        self.refused.lock().expect("no panic").retain(|refused| refused != key);
        self.kept.lock().expect("no panic").insert(*key, code.to_vec());
    }

    fn refuse(&self, key: &[u8; 32]) {
        self.refused.lock().expect("no panic").push(*key);
    }
}

fn app(directory: &Path, entry: &str, limits: Limits, cache: Arc<dyn CodeCache>) -> (Arc<App>, Arc<Recorder>) {
    let (app, recorder) = crate::harness::app(directory, entry, limits);
    let mut app = Arc::into_inner(app).expect("nobody else has it");
    app.code_cache = Some(cache);
    (Arc::new(app), recorder)
}

/// Where a cache and its secret lie.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    /// The cache as a process opens it that knows nothing yet.
    fn open(&self) -> Arc<Observed<SealedCache>> {
        self.open_with_secret("secret")
    }

    fn open_with_secret(&self, secret: &str) -> Arc<Observed<SealedCache>> {
        let cache = SealedCache::open(self.0.path().join("cache"), &self.0.path().join("state").join(secret));
        Observed::of(cache.expect("a cache"))
    }

    /// The files of all entries.
    fn entries(&self) -> Vec<PathBuf> {
        let list = |directory: PathBuf| {
            let entries = std::fs::read_dir(directory).expect("a directory");
            entries.map(|entry| entry.expect("an entry").path()).collect::<Vec<_>>()
        };
        let mut files: Vec<PathBuf> = list(self.0.path().join("cache")).into_iter().flat_map(list).collect();
        files.sort();
        files
    }

    fn contents(&self) -> Vec<Vec<u8>> {
        self.entries().into_iter().map(|path| std::fs::read(path).expect("an entry")).collect()
    }
}

const PROGRAM: [(&str, &str); 3] = [
    ("main.mjs", "import { f } from './lib.mjs'; import cjs from './lib.cjs'; console.log(f(), cjs.g());"),
    ("lib.mjs", "export const f = () => 'module';"),
    ("lib.cjs", "exports.g = () => 'function';"),
];

/// Runs [`PROGRAM`], which must succeed whatever the cache holds.
fn run(directory: &Path, cache: &Arc<Observed<impl CodeCache + 'static>>) -> (usize, usize, usize) {
    let (app, recorder) = app(directory, "main.mjs", Limits::RUN, Arc::clone(cache) as Arc<dyn CodeCache>);
    let exit = block_on(Worker::run(app)).expect("it starts");
    assert_eq!((exit, recorder.lines()), (Exit::Code(0), vec!["module function".to_owned()]));
    cache.counts()
}

#[test]
fn a_program_is_compiled_once() {
    let (directory, home) = (files(&PROGRAM), Home::new());
    assert_eq!(run(directory.path(), &home.open()), (0, 3, 0));
    let written = home.contents();
    let cache = home.open();
    assert_eq!(run(directory.path(), &cache), (3, 0, 0));
    assert_eq!(run(directory.path(), &cache), (3, 0, 0));
    assert_eq!(home.contents(), written, "code that fits is not made again");
}

#[test]
fn what_v8_refuses_is_compiled_and_replaced() {
    let directory = files(&PROGRAM);
    let cache = Observed::of(Credulous::default());
    assert_eq!(run(directory.path(), &cache), (0, 3, 0));
    let good = cache.cache.kept.lock().expect("no panic").clone();
    // The head names V8's version, the source, the flags, and the length, in 32-bit words after the magic number.
    for word in 0..5 {
        for code in cache.cache.kept.lock().expect("no panic").values_mut() {
            code[4 * word] ^= 1;
        }
        assert_eq!(run(directory.path(), &cache), (3, 3, 3), "word {word}");
        assert_eq!(run(directory.path(), &cache), (3, 0, 0), "word {word}");
    }
    for code in cache.cache.kept.lock().expect("no panic").values_mut() {
        code.truncate(code.len() / 2);
    }
    assert_eq!(run(directory.path(), &cache), (3, 3, 3));
    let kept = cache.cache.kept.lock().expect("no panic").clone();
    assert!(kept.iter().all(|(key, code)| code.len() == good[key].len()));
}

#[test]
fn what_was_tampered_with_is_compiled_and_replaced() {
    let (directory, home) = (files(&PROGRAM), Home::new());
    assert_eq!(run(directory.path(), &home.open()), (0, 3, 0));
    let (paths, good) = (home.entries(), home.contents());
    let lengths = || home.contents().iter().map(Vec::len).collect::<Vec<_>>();
    let sound = lengths();
    let attack = |name: &str, entries: &[Vec<u8>]| {
        for (path, entry) in paths.iter().zip(entries) {
            std::fs::write(path, entry).expect("an entry");
        }
        // Nothing of it reaches V8, which would have refused some, and crashed on the rest.
        assert_eq!(run(directory.path(), &home.open()), (0, 3, 0), "{name}");
        assert_eq!(run(directory.path(), &home.open()), (3, 0, 0), "{name}: it was replaced");
        assert_eq!(lengths(), sound, "{name}");
    };
    for part in 0..16 {
        let flip = |entry: &Vec<u8>| {
            let mut entry = entry.clone();
            let position = part * (entry.len() - 1) / 15;
            entry[position] ^= 0x40;
            entry
        };
        attack(&format!("a byte flipped at {part}/15"), &good.iter().map(flip).collect::<Vec<_>>());
    }
    for part in 0..4 {
        let cut = |entry: &Vec<u8>| entry[..part * entry.len() / 4].to_vec();
        attack(&format!("cut to {part}/4"), &good.iter().map(cut).collect::<Vec<_>>());
    }
    attack("made longer", &good.iter().map(|entry| [&entry[..], &entry[..]].concat()).collect::<Vec<_>>());
    attack("swapped", &[good[1].clone(), good[2].clone(), good[0].clone()]);

    // Entries that were sealed elsewhere.
    assert_eq!(run(directory.path(), &home.open_with_secret("foreign")), (0, 3, 0));
    attack("another machine's", &home.contents());
}

/// Serves one GET and gives its text.
async fn ask(pool: &Rc<Pool>, deployment: &Deployment) -> String {
    let request = IncomingRequest::new(Method::GET, "http://test.localhost/");
    let response = pool.fetch(deployment, request).await.expect("a response");
    let body = response.into_body().collect().await.expect("a whole body").to_bytes();
    String::from_utf8_lossy(&body).into_owned()
}

/// What [`serve`] saw.
struct Served {
    hits: usize,
    made: Vec<(Ripeness, usize)>,
    refused: usize,
}

/// Serves an app for so many requests in a pool of its own, until all is done.
fn serve(directory: &Path, cache: &Arc<Observed<SealedCache>>, requests: usize, expected: &str) -> Served {
    let limits =
        Limits { startup_cpu: Duration::from_secs(20), startup_wall: Duration::from_secs(20), ..Limits::SERVE };
    let (app, recorder) = app(directory, "main.mjs", limits, Arc::clone(cache) as Arc<dyn CodeCache>);
    block_on(async {
        let pool = Pool::new(ColdStarter::new(1).expect("a thread"), PoolConfig::default(), None);
        let deployment = Deployment { id: DeploymentId(1), app };
        for _ in 0..requests {
            assert_eq!(ask(&pool, &deployment).await, expected, "{:?}", recorder.problems());
            // Beside the requests: the worker's loop has its turn.
            tokio::task::yield_now().await;
        }
        pool.drain().await;
    });
    let made = std::mem::take(&mut *cache.made.lock().expect("no panic"));
    Served { hits: cache.hits.swap(0, Ordering::Relaxed), made, refused: cache.refused.swap(0, Ordering::Relaxed) }
}

/// A function that is long enough to show in the length of the code.
fn long_function(name: &str) -> String {
    let statements: Vec<String> =
        (0..400).map(|number| format!("text += input.charAt({number}) + '{number}';")).collect();
    let statements = statements.concat();
    format!("function {name}(input) {{ let text = ''; {statements} return text.length; }}")
}

#[test]
fn code_has_what_the_first_request_compiled_and_then_what_many_did() {
    let code = format!(
        "{} {} let count = 0;
         export default {{ fetch() {{ count++; first('x'); if (count === 20) later('x'); return new Response('ok'); }} }};",
        long_function("first"),
        long_function("later")
    );
    let (directory, home) = (files(&[("main.mjs", &code)]), Home::new());
    // What a start alone would have: a program that evaluates the module.
    let evaluated = home.open();
    let (program, _) = app(directory.path(), "main.mjs", Limits::RUN, Arc::clone(&evaluated) as Arc<dyn CodeCache>);
    assert_eq!(block_on(Worker::run(program)).expect("it starts"), Exit::Code(0));
    let [(Ripeness::First, evaluated)] = evaluated.made.lock().expect("no panic")[..] else { panic!("one module") };
    std::fs::remove_dir_all(home.0.path().join("cache")).expect("the cache");

    let first = serve(directory.path(), &home.open(), 1, "ok");
    let [(Ripeness::First, served)] = first.made[..] else { panic!("{:?}", first.made) };
    assert_eq!((first.hits, first.refused), (0, 0));
    assert!(served > evaluated + 4_000, "{served} after a request, {evaluated} after the evaluation");

    // The next process takes it, and has nothing to make until many requests were answered.
    let cache = home.open();
    let second = serve(directory.path(), &cache, 10, "ok");
    assert_eq!((second.hits, second.made.len(), second.refused), (1, 0, 0));
    let third = serve(directory.path(), &cache, 100, "ok");
    let [(Ripeness::Settled, settled)] = third.made[..] else { panic!("{:?}", third.made) };
    assert_eq!((third.hits, third.refused), (1, 0));
    assert!(settled > served + 4_000, "{settled} after many requests, {served} after one");

    let last = serve(directory.path(), &home.open(), 100, "ok");
    assert_eq!((last.hits, last.made.len(), last.refused), (1, 0, 0));
}

#[test]
fn a_worker_that_hit_a_limit_leaves_no_code() {
    let code = "export default { fetch() { for (;;); } };";
    let (directory, home) = (files(&[("main.mjs", code)]), Home::new());
    let cache = home.open();
    let limits = Limits { request_cpu: Duration::from_millis(50), ..Limits::SERVE };
    let (app, _recorder) = app(directory.path(), "main.mjs", limits, Arc::clone(&cache) as Arc<dyn CodeCache>);
    block_on(async {
        let pool = Pool::new(ColdStarter::new(1).expect("a thread"), PoolConfig::default(), None);
        let deployment = Deployment { id: DeploymentId(1), app };
        let request = IncomingRequest::new(Method::GET, "http://test.localhost/");
        assert!(pool.fetch(&deployment, request).await.is_err());
        pool.drain().await;
    });
    assert_eq!(cache.counts(), (0, 0, 0));
}
