//! Counts of system calls, and packages that are built by several threads in any order.

use std::{collections::BTreeMap, fs, thread};

use futures_util::FutureExt;
use sha2::{Digest, Sha512};
use tempfile::TempDir;

use super::*;
use crate::{lock::InstallPath, store::modified_ns};

/// Packages in a store, and a project to build in.
struct Scene {
    dir: TempDir,
    jobs: Vec<Job>,
    entries: HashMap<Integrity, Entry>,
}

impl Scene {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), jobs: Vec::new(), entries: HashMap::new() }
    }

    /// A package with these files, to be built at `place`.
    fn package(&mut self, place: &str, files: &[&str]) {
        let dir = self.stored(place);
        fs::create_dir_all(&dir).unwrap();
        let files = files.iter().enumerate().map(|(number, file)| {
            let (path, number) = ((*file).to_owned(), number.try_into().unwrap());
            let file = IndexedFile { path, number, ..IndexedFile::default() };
            let at = dir.join(file.place_in_entry());
            fs::create_dir_all(at.parent().unwrap()).unwrap();
            fs::write(&at, format!("{place}: {}", file.path)).unwrap();
            let metadata = fs::metadata(&at).unwrap();
            IndexedFile { bytes: metadata.len(), modified_ns: modified_ns(&metadata), ..file }
        });
        let entry = Entry { files: files.collect(), dir, is_fresh: false };
        self.entries.insert(integrity(place), entry);
        self.place(place, place);
    }

    /// `place` is to be built of the package that is made for another one.
    fn place(&mut self, place: &str, of: &str) {
        self.jobs.push(Job {
            place: place.to_owned(),
            path: InstallPath::ROOT,
            package: place.to_owned(),
            integrity: integrity(of),
            private: false,
            without: Vec::new(),
            commands: Vec::new(),
        });
    }

    fn stored(&self, place: &str) -> PathBuf {
        self.dir.path().join("store").join(place.replace('/', "+"))
    }

    /// A stage in a project of this name.
    fn stage(&self, name: &str) -> Arc<Stage> {
        let project = self.dir.path().join(name);
        fs::create_dir_all(&project).unwrap();
        Stage::new(&Arc::new(crate::link::Project::try_lock(&project).unwrap().unwrap())).unwrap()
    }

    fn builder(&self, stage: &Arc<Stage>) -> Builder {
        Builder::new(stage, in_order(self.jobs.clone())).unwrap()
    }

    fn find(&self) -> impl Fn(&Job) -> Option<Entry> + Sync {
        |job| self.entries.get(&job.integrity).cloned()
    }

    fn build(&self, builder: &Builder, threads: usize) -> Result<Built, LinkError> {
        assert!(builder.build_stored(&all(builder, self), threads, &self.find()).is_empty());
        builder.outcome()
    }
}

fn integrity(text: &str) -> Integrity {
    use base64::{Engine, engine::general_purpose::STANDARD};
    Integrity::parse(&format!("sha512-{}", STANDARD.encode(Sha512::digest(text)))).unwrap()
}

/// What is left, which the store has.
fn all(builder: &Builder, scene: &Scene) -> Vec<Stored> {
    let index_bytes = |job: usize| scene.entries[&builder.jobs()[job].integrity].index_bytes();
    builder.left().into_iter().map(|job| Stored { job, index_bytes: index_bytes(job) }).collect()
}

/// Everything in a tree, with the contents of files.
fn list(tree: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![tree.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path: PathBuf = entry.path().strip_prefix(tree).unwrap().to_path_buf();
            let is_folder = entry.file_type().unwrap().is_dir();
            found.insert(path, if is_folder { None } else { Some(fs::read(entry.path()).unwrap()) });
            folders.extend(is_folder.then(|| entry.path()));
        }
    }
    found
}

/// Forty packages, some with others inside, and one that goes to three places.
fn forty() -> Scene {
    let mut scene = Scene::new();
    for package in 0..40 {
        let path = format!("node_modules/{}p{package}", if package % 5 == 0 { "@s/" } else { "" });
        let files: Vec<String> = (0..package % 13).map(|file| format!("{}/{file}.js", file % 3)).collect();
        scene.package(&path, &files.iter().map(String::as_str).collect::<Vec<_>>());
        for inner in 0..package % 3 {
            scene.package(&format!("{path}/node_modules/@t/i{inner}"), &["i.js"]);
        }
    }
    for outer in [1, 17, 38] {
        scene.place(&format!("node_modules/p{outer}/node_modules/shared"), "node_modules/p39");
    }
    scene
}

/// A file system that knows no upper and lower case says that the second of two such files is there; so does any of the
/// second of two that have one path.
#[test]
fn of_files_that_the_file_system_takes_for_one_the_later_is_there() {
    for private in [false, true] {
        let mut scene = Scene::new();
        scene.package("node_modules/a", &["lib/readme.md", "lib/readme.md", "lib/z.js"]);
        scene.jobs[0].private = private;
        let files = &mut scene.entries.values_mut().next().unwrap().files;
        let later = scene.dir.path().join("store/node_modules+a").join(files[1].place_in_entry());
        fs::write(&later, "the later one").unwrap();
        let metadata = fs::metadata(later).unwrap();
        (files[1].bytes, files[1].modified_ns) = (metadata.len(), modified_ns(&metadata));
        let stage = scene.stage("project");
        assert!(scene.build(&scene.builder(&stage), 1).unwrap().damaged.is_empty());
        let placed = list(&stage.tree().join("node_modules/a/lib"));
        let names: Vec<&str> = placed.keys().filter_map(|path| path.to_str()).collect();
        assert_eq!(names, ["readme.md", "z.js"]);
        assert_eq!(placed[Path::new("readme.md")].as_deref(), Some(&b"the later one"[..]), "private: {private}");
    }
}

#[test]
fn packages_that_the_file_system_takes_for_one_are_an_error() {
    let mut scene = Scene::new();
    for name in ["node_modules/one", "node_modules/two"] {
        scene.package(name, &["index.js"]);
        scene.jobs.last_mut().unwrap().place = "node_modules/both".to_owned();
    }
    let stage = scene.stage("project");
    let error = scene.build(&scene.builder(&stage), 1).unwrap_err().to_string();
    assert!(error.contains("both/index.js") && error.contains("File exists"), "{error}");
}

#[test]
fn a_file_is_looked_at_and_linked_once_and_a_directory_made_once() {
    let mut scene = Scene::new();
    let dense: Vec<String> = (0..DENSE_FILES).map(|file| format!("lib/{file}.js")).collect();
    let mut outer = vec!["package.json", "index.js", "a/b/c/deep.js", "a/b/near.js"];
    outer.extend(dense.iter().map(String::as_str));
    scene.package("node_modules/@s/outer", &outer);
    scene.package("node_modules/@s/outer/node_modules/inner", &["package.json"]);
    let stage = scene.stage("project");
    let (built, calls) = atoll_sys::count::of(|| {
        let builder = scene.builder(&stage);
        scene.build(&builder, 1)
    });
    assert!(built.unwrap().damaged.is_empty());
    let count = |name: &str| calls.iter().filter(|call| **call == name).count();
    let files = outer.len() + 1;
    // The way to the outer package, its folder, a, a/b, a/b/c, lib; the way to the inner one, its folder.
    let directories = 2 + 5 + 2;
    // The tree; source and target of two packages; the folder with many files.
    let opened = 1 + 2 * 2 + 1;
    assert_eq!((count("statx"), count("linkat")), (files, files));
    assert_eq!((count("mkdirat"), count("openat")), (directories, opened));
    // Once for all: which kind of file system it is.
    assert_eq!(count("fstatfs"), 1);
    assert_eq!(calls.len(), 2 * files + directories + opened + 1, "and nothing else: {calls:?}");
}

#[test]
fn files_of_large_packages_come_from_several_directories_of_the_store() {
    let mut scene = Scene::new();
    let files: Vec<String> = (0..200).map(|file| format!("lib/{}/{file}.js", file % 3)).collect();
    scene.package("node_modules/large", &files.iter().map(String::as_str).collect::<Vec<_>>());
    let stage = scene.stage("project");
    let builder = scene.builder(&stage);
    assert!(scene.build(&builder, 1).unwrap().damaged.is_empty());
    let directories = fs::read_dir(scene.stored("node_modules/large")).unwrap().flatten();
    assert_eq!(directories.filter(|entry| entry.path().is_dir()).count(), 3, "for 64 to 127, 191, 199");
    for file in files {
        let text = fs::read_to_string(stage.tree().join("node_modules/large").join(&file)).unwrap();
        assert_eq!(text, format!("node_modules/large: {file}"));
    }
}

#[test]
fn what_was_stored_a_moment_ago_is_not_looked_at() {
    let mut scene = Scene::new();
    scene.package("node_modules/a", &["package.json", "lib/x.js"]);
    scene.package("node_modules/a/node_modules/b", &["package.json"]);
    let stage = scene.stage("project");
    let builder = scene.builder(&stage);
    let ((), calls) = atoll_sys::count::of(|| {
        // The one that is inside comes first.
        for place in ["node_modules/a/node_modules/b", "node_modules/a", "node_modules/a"] {
            let entry = Entry { is_fresh: true, ..scene.entries[&integrity(place)].clone() };
            builder.build_everywhere(&integrity(place), &entry);
        }
    });
    assert!(builder.has_all() && builder.outcome().unwrap().damaged.is_empty());
    let count = |name: &str| calls.iter().filter(|call| **call == name).count();
    assert_eq!((count("statx"), count("linkat")), (0, 3), "{calls:?}");
    // The way to the inner one, and that one; the outer one, again, and a folder of it.
    assert_eq!(count("mkdirat"), 3 + 2);
}

#[test]
fn what_goes_to_several_places_is_looked_up_and_looked_at_once() {
    let mut scene = Scene::new();
    let files = ["lib/x.js", "lib/y.js", "package.json"];
    scene.package("node_modules/shared", &files);
    for outer in ["a", "z"] {
        scene.package(&format!("node_modules/{outer}"), &["package.json"]);
        scene.place(&format!("node_modules/{outer}/node_modules/shared"), "node_modules/shared");
    }
    let stage = scene.stage("project");
    let builder = scene.builder(&stage);
    let lookups = AtomicUsize::new(0);
    let find = |job: &Job| {
        lookups.fetch_add(1, Ordering::Relaxed);
        scene.find()(job)
    };
    let (missing, calls) = atoll_sys::count::of(|| builder.build_stored(&all(&builder, &scene), 1, &find));
    assert!(missing.is_empty() && builder.has_all() && builder.outcome().unwrap().damaged.is_empty());
    let count = |name: &str| calls.iter().filter(|call| **call == name).count();
    assert_eq!((lookups.into_inner(), count("statx"), count("linkat")), (3, files.len() + 2, 3 * files.len() + 2));
    let shared = fs::read_to_string(stage.tree().join("node_modules/z/node_modules/shared/lib/x.js")).unwrap();
    assert_eq!(shared, "node_modules/shared: lib/x.js");
}

#[test]
fn what_one_place_leaves_out_is_looked_at_for_the_next() {
    let mut scene = Scene::new();
    scene.package("node_modules/a", &["inner/x.js", "package.json"]);
    scene.place("node_modules/b", "node_modules/a");
    scene.jobs[0].without = vec!["inner".to_owned()];
    let changed =
        scene.stored("node_modules/a").join(scene.entries[&integrity("node_modules/a")].files[0].place_in_entry());
    fs::write(changed, "changed through a link in some project").unwrap();
    let builder = scene.builder(&scene.stage("project"));
    assert_eq!(scene.build(&builder, 1).unwrap().damaged, [1]);
}

#[test]
fn a_link_is_made_once_in_its_open_folder_and_never_looked_at() {
    let mut scene = Scene::new();
    let beside = "node_modules/.pnpm/@s+a@1/node_modules";
    scene.package(&format!("{beside}/@s/a"), &["package.json"]);
    let folder = |path: &str, names: &[&str]| LinkFolder {
        path: path.to_owned(),
        links: names.iter().map(|name| ((*name).to_owned(), format!("../to/{name}"))).collect(),
    };
    let folders = [
        folder("node_modules", &["x"]),
        folder(beside, &["@t/b", "@t/c", "d"]),
        folder(&format!("{beside}/@s/a/node_modules/.bin"), &["run"]),
    ];
    let stage = scene.stage("project");
    let (built, calls) = atoll_sys::count::of(|| {
        let builder = scene.builder(&stage);
        let built = scene.build(&builder, 1);
        builder.make_links(&folders, 1);
        builder.outcome().and(built)
    });
    assert!(built.unwrap().damaged.is_empty());
    for LinkFolder { path, links } in &folders {
        for (name, text) in links {
            assert_eq!(fs::read_link(stage.tree().join(path).join(name)).unwrap(), Path::new(text));
        }
    }
    let count = |name: &str| calls.iter().filter(|call| **call == name).count();
    let links = folders.iter().map(|folder| folder.links.len()).sum::<usize>();
    assert_eq!((count("symlinkat"), count("linkat"), count("statx")), (links, 1, 1));
    // node_modules, .pnpm; the instance, its node_modules, @s, a; @t; the node_modules of a, .bin.
    assert_eq!(count("mkdirat"), 2 + 4 + 1 + 2);
    // The tree; source and target of the package; the folders of links.
    assert_eq!(count("openat"), 1 + 2 + folders.len());
    assert_eq!(
        calls.len(),
        links + 1 + 1 + 9 + 6 + 1,
        "and which kind of file system it is, and nothing else: {calls:?}"
    );
}

#[test]
fn threads_change_nothing_but_the_time() {
    let scene = forty();
    let total = scene.jobs.len();
    let one = scene.stage("one");
    let builder = scene.builder(&one);
    let mut progress = builder.progress();
    assert!(scene.build(&builder, 1).unwrap().damaged.is_empty() && builder.has_all());
    assert_eq!(*progress.borrow_and_update(), total);
    let expected = list(&one.tree());
    assert!(expected.len() > total);
    for threads in [2, 3, 64] {
        let stage = scene.stage(&threads.to_string());
        let builder = scene.builder(&stage);
        assert!(scene.build(&builder, threads).unwrap().damaged.is_empty());
        assert_eq!(list(&stage.tree()), expected);
    }
}

#[test]
fn what_arrives_is_built_once_whoever_else_finds_it_in_the_store() {
    let scene = forty();
    let one = scene.stage("one");
    let builder = scene.builder(&one);
    scene.build(&builder, 1).unwrap();
    let expected = list(&one.tree());
    for from in 0..8 {
        let stage = scene.stage(&format!("from-{from}"));
        let builder = scene.builder(&stage);
        let (stored, scene) = (all(&builder, &scene), &scene);
        // A file that is linked twice is an error.
        thread::scope(|scope| {
            for arriving in 0..2 {
                let builder = &builder;
                scope.spawn(move || {
                    let places = scene.jobs.iter().rev().skip(from + arriving).step_by(2);
                    for integrity in places.map(|job| &job.integrity) {
                        builder.build_everywhere(integrity, &scene.entries[integrity]);
                    }
                });
            }
            assert!(builder.build_stored(&stored, 2, &scene.find()).is_empty());
        });
        assert!(builder.outcome().unwrap().damaged.is_empty() && builder.has_all());
        assert_eq!(list(&stage.tree()), expected);
    }
}

#[test]
fn what_the_store_does_not_have_is_left() {
    let scene = forty();
    let stage = scene.stage("project");
    let builder = scene.builder(&stage);
    let lacking = [integrity("node_modules/p7"), integrity("node_modules/p39")];
    let find = |job: &Job| scene.find()(job).filter(|_| !lacking.contains(&job.integrity));
    let mut missing = builder.build_stored(&all(&builder, &scene), 2, &find);
    missing.sort_unstable();
    assert_eq!(missing, builder.left());
    assert_eq!(missing.len(), 1 + 4);
    assert!(!builder.has_all());
    for integrity in &lacking {
        builder.build_everywhere(integrity, &scene.entries[integrity]);
    }
    assert!(builder.left().is_empty() && builder.has_all());
}

#[test]
fn every_job_is_in_one_share_with_what_is_inside_it() {
    let mut scene = Scene::new();
    for path in ["a", "a/node_modules/b", "a/node_modules/b/node_modules/c", "a-b", "z"] {
        scene.package(&format!("node_modules/{path}"), &["x"]);
    }
    for package in 0..50 {
        scene.package(&format!("node_modules/p{package:02}"), &["x", "y", "z"]);
    }
    let stage = scene.stage("project");
    let builder = scene.builder(&stage);
    let stored = all(&builder, &scene);
    for count in 1..20 {
        let shares = builder.shares(&stored, count);
        assert!(shares.len() <= count);
        let jobs: Vec<usize> = shares.concat().iter().map(|one| one.job).collect();
        assert_eq!(jobs, builder.left());
        assert!(shares[0].len() >= 3, "a and what is inside it");
        let work = |share: &[Stored]| share.iter().map(|one| PACKAGE_WORK + one.index_bytes).sum::<u64>();
        let most = shares.iter().map(|share| work(share)).max().unwrap();
        let fair = work(&stored).div_ceil(count as u64);
        assert!(most <= fair + work(&stored[..3]), "{count}: {most} of {fair}");
    }
}

#[test]
fn damaged_packages_are_all_named_and_an_obstacle_ends_it() {
    let mut scene = Scene::new();
    for package in 0..9 {
        scene.package(&format!("node_modules/p{package}"), &["x.js", "y/z.js"]);
    }
    let stored = |package: usize| scene.stored(&format!("node_modules/p{package}"));
    fs::remove_dir_all(stored(1)).unwrap();
    fs::remove_file(stored(4).join("1")).unwrap();
    fs::write(stored(7).join("0"), "longer than it was").unwrap();
    for threads in [1, 3] {
        let stage = scene.stage(&threads.to_string());
        let builder = scene.builder(&stage);
        let mut damaged = scene.build(&builder, threads).unwrap().damaged;
        damaged.sort_unstable();
        assert_eq!(damaged, [1, 4, 7]);
    }
    for arrives in [false, true] {
        let stage = scene.stage(&format!("blocked-{arrives}"));
        fs::write(stage.tree().join("node_modules/p5"), "a file").unwrap();
        let builder = scene.builder(&stage);
        assert!(builder.failed().now_or_never().is_none());
        if arrives {
            let integrity = integrity("node_modules/p5");
            builder.build_everywhere(&integrity, &scene.entries[&integrity]);
        } else {
            builder.build_stored(&all(&builder, &scene), 2, &scene.find());
        }
        assert!(builder.failed().now_or_never().is_some());
        let Err(LinkError::Write { path, .. }) = builder.outcome() else { panic!("it cannot be written") };
        assert_eq!(path, stage.tree().join("node_modules/p5"));
    }
}

#[test]
fn nothing_is_built_that_nobody_wants() {
    let scene = forty();
    let stage = scene.stage("project");
    let builder = scene.builder(&stage);
    stage.cancel();
    let before = list(&stage.tree());
    builder.build_stored(&all(&builder, &scene), 2, &scene.find());
    builder.build_everywhere(&integrity("node_modules/p1"), &scene.entries[&integrity("node_modules/p1")]);
    assert_eq!(list(&stage.tree()), before);
    assert!(matches!(builder.outcome(), Err(LinkError::Cancelled)));
}
