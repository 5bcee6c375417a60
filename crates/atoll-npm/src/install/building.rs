//! One try to build the tree: what the store has is linked at once, what it does not have is fetched, and linked by the threads that
//! bring it.

use std::{
    collections::{HashMap, HashSet},
    future::Future,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Instant,
};

use super::{InstallError, files::Resolved, tree::Tree};
use crate::{
    fetch::{Fetcher, Following, Receiver, Wanted},
    integrity::Integrity,
    link::{
        Job, LinkError, LinkFolder,
        build::{Builder, Built, Stored},
    },
    report::{Progress, Reporter, Stage as Step},
    store::{Entry, Store},
    threads::{self, blocking},
    waits::Unit,
};

/// How often packages are fetched for it: once more when a guess could not be fetched, or the store has something else under a
/// package's name.
const FETCH_ROUNDS_MAX: usize = 3;

/// One try to build a tree.
pub(super) struct Building<'b, 'a> {
    tree: &'b Tree<'a>,
    builder: &'b Arc<Builder>,
    folders: &'b Arc<[LinkFolder]>,
    fetcher: &'b Fetcher<'b>,
    store: &'b Store,
    reporter: &'b dyn Reporter,
    /// When there was nothing to fetch any more.
    linking: OnceLock<Instant>,
}

/// Packages that arrived before somebody built with them.
type Arrived = Arc<Mutex<HashMap<Integrity, Entry>>>;

impl<'b, 'a> Building<'b, 'a> {
    /// Nothing is begun.
    pub(super) fn new(
        tree: &'b Tree<'a>,
        builder: &'b Arc<Builder>,
        folders: &'b Arc<[LinkFolder]>,
        (fetcher, store): (&'b Fetcher<'b>, &'b Store),
        reporter: &'b dyn Reporter,
    ) -> Self {
        Self { tree, builder, folders, fetcher, store, reporter, linking: OnceLock::new() }
    }

    /// Drives it to its end; reports its progress from here.
    pub(super) async fn run(&self, following: &mut Following<'_>) -> Result<Built, InstallError> {
        let built = self.drive(following).await;
        self.fetcher.hand_to(None);
        built
    }

    async fn drive(&self, following: &mut Following<'_>) -> Result<Built, InstallError> {
        let (builder, total) = (self.builder, self.builder.jobs().len());
        let waiting = self.tree.options.waits.begin("linking", Unit::Packages);
        waiting.expect(total as u64);
        let mut progress = builder.progress();
        {
            let mut work = pin!(self.work(following));
            loop {
                tokio::select! {
                    biased;
                    result = &mut work => break result?,
                    () = builder.failed() => break,
                    Ok(()) = progress.changed() => {}
                }
                let done = *progress.borrow_and_update();
                waiting.reach(done as u64);
                if self.linking.get().is_some() {
                    self.reporter.progressed(Step::Link, Progress { done, total, bytes: 0 });
                }
            }
        }
        let built = builder.outcome()?;
        waiting.reach(total as u64);
        self.reporter.progressed(Step::Link, Progress { done: total, total, bytes: 0 });
        self.reporter.stage_finished(Step::Link, self.linking.get().map(Instant::elapsed).unwrap_or_default());
        Ok(built)
    }

    async fn work(&self, following: &mut Following<'_>) -> Result<(), InstallError> {
        let receiver = Arc::clone(self.builder);
        let receiver: Receiver = Arc::new(move |integrity, entry| receiver.build_everywhere(integrity, entry));
        let arrived = Arc::new(Mutex::new(self.fetcher.hand_to(Some(receiver))));
        let (mut unbelieved, mut has_links, mut rounds) = (HashSet::new(), false, 0);
        loop {
            let (stored, missing) = self.look_up(&arrived, &unbelieved).await;
            let is_last = missing.is_empty() && !following.is_going_on();
            if is_last {
                self.begin_linking();
            } else if rounds == FETCH_ROUNDS_MAX {
                let package = missing.first().map(|wanted| wanted.package.clone()).unwrap_or_default();
                return Err(LinkError::Damaged { package }.into());
            }
            rounds += 1;
            let linking = self.link(stored, &arrived);
            let linking = async { Ok::<_, InstallError>(linking.await) };
            let fetching = async { Ok(self.fetcher.fetch_all(missing, following).await?) };
            let preparing = async {
                // Others have something to do then.
                tokio::task::yield_now().await;
                self.tree.prepare();
                Ok(())
            };
            let linked: Linked;
            (linked, (), ()) = tokio::try_join!(linking, fetching, preparing)?;
            (unbelieved, has_links) = (linked.missing.into_iter().collect(), has_links || linked.has_links);
            if self.builder.left().is_empty() {
                break;
            }
        }
        self.begin_linking();
        if !has_links && !self.folders.is_empty() {
            let (builder, folders) = (Arc::clone(self.builder), Arc::clone(self.folders));
            blocking(move || builder.make_links(&folders, threads::count())).await;
        }
        Ok(())
    }

    /// From here on nothing is fetched.
    fn begin_linking(&self) {
        self.linking.get_or_init(|| {
            self.fetcher.finish();
            self.reporter.stage_started(Step::Link, self.builder.jobs().len());
            Instant::now()
        });
    }

    /// Of the jobs that are left, what the store probably has, and what has to be fetched: the unbelieved ones, by position,
    /// among them.
    async fn look_up(&self, arrived: &Arrived, unbelieved: &HashSet<usize>) -> (Vec<Stored>, Vec<Wanted>) {
        let left = self.builder.left();
        if left.is_empty() {
            return (Vec::new(), Vec::new());
        }
        let _waiting = self.tree.options.waits.begin("looking packages up in the store", Unit::None);
        let (builder, store, arrived) = (Arc::clone(self.builder), self.store.clone(), Arc::clone(arrived));
        let look = move || {
            let index_bytes = |job: &usize| {
                let integrity = &builder.jobs()[*job].integrity;
                let arrived = lock(&arrived).get(integrity).map(Entry::index_bytes);
                arrived.or_else(|| store.index_bytes(integrity))
            };
            let found = threads::map(&left, &index_bytes);
            left.into_iter().zip(found).collect::<Vec<_>>()
        };
        let (mut stored, mut missing) = (Vec::new(), Vec::new());
        for (job, found) in blocking(look).await {
            match found.filter(|_| !unbelieved.contains(&job)) {
                Some(index_bytes) => stored.push(Stored { job, index_bytes }),
                None => missing.push(self.wanted(&self.builder.jobs()[job])),
            }
        }
        (stored, missing)
    }

    fn wanted(&self, job: &Job) -> Wanted {
        let Resolved { lock, manifest, .. } = self.tree.resolved;
        self.fetcher.wanted_as(
            job.package.clone(),
            job.integrity.clone(),
            &job.path,
            &lock.packages[&job.path],
            manifest,
        )
    }

    /// Builds what the store has, on threads of its own, from now on.
    fn link(&self, stored: Vec<Stored>, arrived: &Arrived) -> impl Future<Output = Linked> + use<> {
        let (builder, folders) = (Arc::clone(self.builder), Arc::clone(self.folders));
        let (store, arrived) = (self.store.clone(), Arc::clone(arrived));
        let has_work = !stored.is_empty();
        let work = has_work.then(|| {
            blocking(move || {
                let find = |job: &Job| {
                    let arrived = lock(&arrived).remove(&job.integrity);
                    arrived.or_else(|| store.index(&job.integrity))
                };
                let missing = builder.build_stored(&stored, threads::count(), &find);
                let has_links = builder.has_all();
                if has_links {
                    builder.make_links(&folders, threads::count());
                }
                Linked { missing, has_links }
            })
        });
        async {
            match work {
                Some(work) => work.await,
                None => Linked::default(),
            }
        }
    }
}

/// What came of building what the store has.
#[derive(Debug, Default)]
struct Linked {
    /// The positions of jobs that the store does not have after all.
    missing: Vec<usize>,
    /// All packages are there, and the links, too.
    has_links: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
