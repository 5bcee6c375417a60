//! What is collected, and what is not.

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::{Duration, SystemTime},
};

use atoll_npm::store::{CollectOptions, Collected, Form, MARKED_EVERY, MachineKey, Store, USED_FOR};

use super::{age, entries_in, leftovers, new_store, open, put, sample};

/// Rounds after which a race must have been won by both sides often enough.
const ROUNDS_MAX: usize = 20_000;

const DAY: Duration = Duration::from_hours(24);

fn mark(entry: &Path) -> SystemTime {
    let marked = if entry.is_dir() { entry.join("index") } else { entry.to_path_buf() };
    fs::metadata(marked).unwrap().modified().unwrap()
}

fn by_age(older_than: Duration) -> CollectOptions {
    CollectOptions { older_than: Some(older_than), ..CollectOptions::default() }
}

fn by_size(max_bytes: u64) -> CollectOptions {
    CollectOptions { max_bytes: Some(max_bytes), ..CollectOptions::default() }
}

#[test]
fn every_kind_of_use_is_noted_and_rarely_written() {
    let (folder, store) = new_store();
    let packed = put(&store, Form::Packed, &sample("packed"));
    let unpacked = put(&store, Form::Unpacked, &sample("unpacked"));
    let (packs, directories) = entries_in(folder.path());
    let uses: [(&Path, &dyn Fn()); 4] = [
        (&packs[0], &|| drop(store.package(&packed).unwrap())),
        (&directories[0], &|| drop(store.package(&unpacked).unwrap())),
        (&directories[0], &|| drop(store.get(&unpacked).unwrap())),
        (&directories[0], &|| drop(store.index(&unpacked).unwrap())),
    ];
    for (entry, used) in uses {
        age(entry, MARKED_EVERY / 2);
        let before = mark(entry);
        used();
        assert_eq!(mark(entry), before, "a recent mark is left alone");
        age(entry, MARKED_EVERY * 2);
        used();
        assert!(mark(entry) > before);
    }
    // Looking at all of them is no use.
    for entry in packs.iter().chain(&directories) {
        age(entry, DAY);
        let before = mark(entry);
        store.verify(false, &|_| {}).unwrap();
        store.status().unwrap();
        store.collect(&by_age(DAY * 2)).unwrap();
        assert_eq!(mark(entry), before);
    }
}

#[test]
fn what_is_not_used_goes() {
    let (folder, store) = new_store();
    for (index, form) in [Form::Packed, Form::Unpacked, Form::Packed, Form::Unpacked].into_iter().enumerate() {
        put(&store, form, &sample(&format!("p{index}")));
    }
    let (packs, directories) = entries_in(folder.path());
    for (entry, days) in packs.iter().zip([40, 10]).chain(directories.iter().zip([50, 1])) {
        age(entry, DAY * days);
    }
    let dry = store.collect(&CollectOptions { dry_run: true, ..CollectOptions::default() }).unwrap();
    assert_eq!((dry.removed.len(), dry.kept), (2, 2), "30 days when nothing is said: {dry:?}");
    assert_eq!(entries_in(folder.path()), (packs.clone(), directories.clone()));

    let collected = store.collect(&CollectOptions::default()).unwrap();
    let names = |collected: &Collected| collected.removed.iter().map(|one| one.entry.clone()).collect::<Vec<_>>();
    assert_eq!((names(&collected), collected.kept), (names(&dry), dry.kept));
    assert_eq!(collected.removed[0].form, Form::Unpacked, "the least recently used first");
    assert!(collected.removed.iter().all(|removed| removed.bytes > 200 && removed.believed));
    assert_eq!(entries_in(folder.path()), (packs[1..].to_vec(), directories[1..].to_vec()));
    assert_eq!(store.collect(&by_age(DAY * 5)).unwrap().removed.len(), 1);
    assert_eq!(store.collect(&by_age(Duration::ZERO)).unwrap().removed.len(), 1);
    assert_eq!(leftovers(folder.path()), 0);
}

#[test]
fn what_was_used_just_now_stays_whatever_was_asked() {
    let (folder, store) = new_store();
    put(&store, Form::Packed, &sample("a"));
    put(&store, Form::Unpacked, &sample("b"));
    let (packs, directories) = entries_in(folder.path());
    age(&packs[0], USED_FOR.saturating_sub(Duration::from_mins(1)));
    for options in [by_age(Duration::ZERO), by_size(0)] {
        let collected = store.collect(&options).unwrap();
        assert_eq!((collected.removed.len(), collected.kept), (0, 2));
    }
    age(&packs[0], USED_FOR + Duration::from_mins(1));
    age(&directories[0], USED_FOR + Duration::from_mins(1));
    assert_eq!(store.collect(&by_size(0)).unwrap().removed.len(), 2);
}

#[test]
fn a_size_removes_the_least_recently_used() {
    let (folder, store) = new_store();
    for index in 0..6 {
        put(&store, Form::Packed, &sample(&format!("p{index}")));
    }
    let packs = entries_in(folder.path()).0;
    for (pack, days) in packs.iter().zip([3, 9, 5, 1, 8, 2]) {
        age(pack, DAY * days);
    }
    let each = fs::metadata(&packs[0]).unwrap().len();
    let collected = store.collect(&by_size(each * 4)).unwrap();
    assert_eq!((collected.removed.len(), collected.kept, collected.kept_bytes), (2, 4, each * 4));
    let expected = [0, 2, 3, 5].map(|index: usize| packs[index].clone());
    assert_eq!(entries_in(folder.path()).0, expected);
    assert_eq!(store.collect(&by_size(each * 4)).unwrap().removed.len(), 0);
}

#[test]
fn what_is_not_believed_goes_once_it_is_no_longer_new() {
    let (folder, store) = new_store();
    let elsewhere = MachineKey::open(&folder.path().join("elsewhere")).unwrap();
    let foreign = Store::open(&folder.path().join("store"), elsewhere).unwrap();
    put(&foreign, Form::Packed, &sample("a"));
    put(&foreign, Form::Unpacked, &sample("b"));
    put(&foreign, Form::Unpacked, &sample("c"));
    let (packs, directories) = entries_in(folder.path());
    fs::remove_file(directories[1].join("index")).unwrap();
    assert_eq!(store.collect(&CollectOptions::default()).unwrap().removed.len(), 0);
    for entry in packs.iter().chain(&directories[..1]) {
        age(entry, DAY);
    }
    fs::File::open(&directories[1]).unwrap().set_modified(SystemTime::now() - DAY).unwrap();
    let collected = store.collect(&CollectOptions::default()).unwrap();
    assert_eq!(collected.removed.iter().filter(|removed| !removed.believed).count(), 3);
    assert_eq!((entries_in(folder.path()), leftovers(folder.path())), ((Vec::new(), Vec::new()), 0));
}

#[test]
fn projects_hold_what_they_registered() {
    let (folder, store) = new_store();
    let held = put(&store, Form::Packed, &sample("held"));
    let free = put(&store, Form::Packed, &sample("free"));
    put(&store, Form::Unpacked, &sample("other"));
    let everything_is_old = || {
        let (packs, directories) = entries_in(folder.path());
        packs.iter().chain(&directories).for_each(|entry| age(entry, DAY * 100));
    };
    let project = folder.path().join("project");
    fs::create_dir(&project).unwrap();

    drop(store.register(&project, [&held]).unwrap());
    everything_is_old();
    let collected = store.collect(&CollectOptions::default()).unwrap();
    assert_eq!((collected.removed.len(), collected.held, collected.projects), (2, 1, 1));
    assert!(store.package(&free).is_none() && store.package(&held).is_some());
}

#[test]
fn a_server_keeps_what_it_began_with_and_a_project_what_it_has_now() {
    let (folder, store) = new_store();
    let first = put(&store, Form::Packed, &sample("first"));
    let second = put(&store, Form::Packed, &sample("second"));
    let everything_is_old = || entries_in(folder.path()).0.iter().for_each(|pack| age(pack, DAY * 100));
    let project = folder.path().join("project");
    fs::create_dir(&project).unwrap();
    let names = || fs::read_dir(folder.path().join("store/projects")).unwrap().count();

    let server = store.register(&project, [&first]).unwrap();
    let another = open(folder.path()).register(&project, [&first]).unwrap();
    std::thread::sleep(Duration::from_millis(20));
    drop(store.register(&project, [&second, &second]).unwrap());
    assert_eq!(names(), 2);
    everything_is_old();
    let collected = store.collect(&CollectOptions::default()).unwrap();
    assert_eq!((collected.removed.len(), collected.held, collected.projects, collected.forgotten), (0, 2, 2, 0));

    // The first server ends; the second one still serves the same.
    drop(server);
    assert_eq!(store.collect(&CollectOptions::default()).unwrap().removed.len(), 0);
    drop(another);
    let dry = store.collect(&CollectOptions { dry_run: true, ..CollectOptions::default() }).unwrap();
    assert_eq!((dry.removed.len(), dry.forgotten, names()), (1, 1, 2));
    let collected = store.collect(&CollectOptions::default()).unwrap();
    assert_eq!((collected.removed.len(), collected.forgotten, names()), (1, 1, 1));
    assert!(store.package(&first).is_none() && store.package(&second).is_some());

    // Going back to the first makes that the latest.
    put(&store, Form::Packed, &sample("first"));
    drop(store.register(&project, [&first]).unwrap());
    everything_is_old();
    assert_eq!(store.collect(&CollectOptions::default()).unwrap().removed.len(), 1);
    assert!(store.package(&first).is_some());

    fs::remove_dir(&project).unwrap();
    everything_is_old();
    let collected = store.collect(&CollectOptions::default()).unwrap();
    assert_eq!((collected.removed.len(), collected.forgotten, names()), (1, 1, 0));
}

#[test]
fn nonsense_among_the_registrations_holds_nothing() {
    let (folder, store) = new_store();
    put(&store, Form::Packed, &sample("a"));
    age(&entries_in(folder.path()).0[0], DAY * 100);
    let projects = folder.path().join("store/projects");
    fs::create_dir(&projects).unwrap();
    fs::write(projects.join("text"), "text").unwrap();
    fs::write(projects.join("empty"), "").unwrap();
    fs::create_dir(projects.join("folder")).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", projects.join("link")).unwrap();
    let collected = store.collect(&CollectOptions::default()).unwrap();
    assert_eq!((collected.removed.len(), collected.projects, collected.forgotten), (1, 0, 2));
}

/// Users look an entry up and read it while a collector takes everything that it may: nobody who got an entry loses it.
#[test]
fn collecting_and_using_at_the_same_moment() {
    let (folder, store) = new_store();
    let package = sample("a");
    let (over, removed) = (AtomicBool::new(false), AtomicUsize::new(0));
    let mut used = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let collected = store.collect(&by_age(Duration::ZERO)).unwrap();
                removed.fetch_add(collected.removed.len(), Ordering::Relaxed);
            }
        });
        for round in 0..ROUNDS_MAX {
            let form = if round % 2 == 0 { Form::Packed } else { Form::Unpacked };
            let integrity = put(&store, form, &package);
            let (packs, directories) = entries_in(folder.path());
            for entry in packs.iter().chain(&directories) {
                let marked = if entry.is_dir() { entry.join("index") } else { entry.clone() };
                // The collector may have it by now.
                let _ = fs::File::open(marked).and_then(|file| file.set_modified(SystemTime::now() - DAY));
            }
            // The collector gets a chance at times.
            (0..round % 7).for_each(|_| std::thread::yield_now());
            if let Some(found) = store.package(&integrity) {
                // It is marked now, so it stays although the collector goes on.
                for _ in 0..20 {
                    assert!(found.open(0).is_ok(), "round {round}");
                }
                used += 1;
            }
            if used > 100 && removed.load(Ordering::Relaxed) > 20 {
                break;
            }
        }
        over.store(true, Ordering::Relaxed);
    });
    assert!(used > 100 && removed.into_inner() > 20, "{used} used");
}
