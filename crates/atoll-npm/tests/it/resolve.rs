//! What goes where: npm's rules, one by one. The expectations are what npm 11 does with the same packages.

use atoll_npm::{
    lock::{Lockfile, disagreements},
    manifest::Manifest,
    resolve::{Options, ResolveError},
};
use serde_json::{Value, json};

use crate::table::{Table, tree};

fn dependencies(dependencies: &Value) -> Value {
    json!({ "name": "project", "version": "1.0.0", "dependencies": dependencies })
}

#[track_caller]
fn assert_tree(table: &str, manifest: &Value, expected: &[&str]) -> Lockfile {
    let table = Table::new(table);
    let lockfile = table.resolve(manifest, None).unwrap();
    assert_eq!(tree(&lockfile), expected);
    table.asked();
    assert_eq!(table.resolve(manifest, Some(&lockfile)).unwrap(), lockfile, "its own lockfile is a fixed point");
    assert_eq!(table.asked(), [""; 0], "nothing is asked for a lockfile that fits");
    let parsed = Manifest::parse("package.json", &manifest.to_string()).unwrap();
    assert_eq!(disagreements(&parsed, &lockfile), []);
    lockfile
}

#[test]
fn packages_go_as_high_as_they_can() {
    assert_tree(
        "a 1.0.0: c@^1
         b 1.0.0: c@^2
         c 1.0.0:
         c 2.0.0:",
        &dependencies(&json!({ "a": "1", "b": "1" })),
        &["a 1.0.0", "b 1.0.0", "b > c 2.0.0", "c 1.0.0"],
    );
}

#[test]
fn shallow_packages_come_first() {
    // The project's own choice of c holds the top, although a is looked at earlier.
    assert_tree(
        "a 1.0.0: c@^1
         c 1.0.0:
         c 2.0.0:",
        &dependencies(&json!({ "a": "1", "c": "2" })),
        &["a 1.0.0", "a > c 1.0.0", "c 2.0.0"],
    );
}

#[test]
fn what_is_there_is_used_even_if_older() {
    assert_tree(
        "a 1.0.0: c@1.0.0
         b 1.0.0: c@^1
         c 1.0.0:
         c 1.1.0:",
        &dependencies(&json!({ "a": "1", "b": "1" })),
        &["a 1.0.0", "b 1.0.0", "c 1.0.0"],
    );
}

#[test]
fn a_newer_version_takes_the_place_where_both_accept_it() {
    assert_tree(
        "a 1.0.0: c@^1.0.0
         b 1.0.0: c@1.1.0
         c 1.0.0:
         c 1.1.0:
         c 1.2.0: deprecated
         c latest 1.0.0",
        &dependencies(&json!({ "a": "1", "b": "1" })),
        &["a 1.0.0", "b 1.0.0", "c 1.1.0"],
    );
}

#[test]
fn latest_is_preferred_then_what_is_not_deprecated() {
    let table = "a 1.0.0:
         a 1.1.0:
         a 1.2.0:
         a latest 1.1.0
         b 1.0.0:
         b 1.1.0: deprecated
         c 2.0.0-beta.1:
         c 1.0.0:
         c next 2.0.0-beta.1
         d 1.0.0: deprecated
         d 1.1.0: deprecated";
    let manifest = dependencies(&json!({ "a": "^1.0.0", "b": "^1.0.0", "c": "next", "d": "*" }));
    assert_tree(table, &manifest, &["a 1.1.0", "b 1.0.0", "c 2.0.0-beta.1", "d 1.1.0"]);
}

#[test]
fn engines_count_when_a_node_version_is_given() {
    let table = Table::new(
        "a 1.0.0: node=>=16
         a 1.1.0: node=>=22",
    );
    let manifest = dependencies(&json!({ "a": "^1" }));
    assert_eq!(tree(&table.resolve(&manifest, None).unwrap()), ["a 1.1.0"]);
    let options = Options { node_version: Some("20.0.0".parse().unwrap()), ..Options::default() };
    assert_eq!(tree(&table.resolve_with(&manifest, None, &options).unwrap()), ["a 1.0.0"]);
}

#[test]
fn an_optional_peer_that_turns_out_to_be_asked_for_is_gathered_after_all() {
    // Nobody seems to ask for x when a is placed: the crawl knows nothing of overrides, so of c it has followed 1.0.0 only. The
    // peer of x is in conflict with the project's own z, so a does not go to the top with it.
    assert_tree(
        "a 1.0.0: peer?:x@1
         b 1.0.0: a@1
         c 1.0.0:
         c 2.0.0: x@1 bundle=x
         d 1.0.0: c@1
         x 1.0.0: peer:z@2
         z 1.0.0:
         z 2.0.0:",
        &json!({
            "name": "project",
            "version": "1.0.0",
            "dependencies": { "b": "1", "d": "1", "z": "1" },
            "overrides": { "c": "2" },
        }),
        &["b 1.0.0", "b > a 1.0.0", "c 2.0.0", "d 1.0.0", "z 1.0.0"],
    );
}

#[test]
fn an_alias_is_another_package_under_a_name_of_our_own() {
    let lockfile = assert_tree(
        "a 1.0.0:
         a 2.0.0:
         b 1.0.0: a@^1",
        &dependencies(&json!({ "old": "npm:a@^1", "@s/a": "npm:a@2", "b": "*" })),
        &["@s/a 2.0.0", "a 1.0.0", "b 1.0.0", "old 1.0.0"],
    );
    assert_eq!(lockfile.packages["node_modules/old"].name.as_deref(), Some("a"));
    assert_eq!(lockfile.packages["node_modules/a"].name, None);
}

#[test]
fn an_alias_is_not_satisfied_by_its_namesake() {
    let table = Table::new(
        "a 1.0.0:
         b 1.0.0:",
    );
    let before = table.resolve(&dependencies(&json!({ "a": "1" })), None).unwrap();
    let after = table.resolve(&dependencies(&json!({ "a": "npm:b@1" })), Some(&before)).unwrap();
    assert_eq!(after.packages["node_modules/a"].name.as_deref(), Some("b"));
}

#[test]
fn cycles_end() {
    assert_tree(
        "a 1.0.0: b@^1
         b 1.0.0: c@^1
         c 1.0.0: a@^1",
        &dependencies(&json!({ "a": "1" })),
        &["a 1.0.0", "b 1.0.0", "c 1.0.0"],
    );
}

#[test]
fn endless_nesting_is_cut_by_a_link() {
    // Each a wants the other b, each b the other a; the project's own choices keep them from the top.
    let lockfile = assert_tree(
        "a 1.0.0: b@1
         a 2.0.0: b@2
         a 3.0.0:
         b 1.0.0: a@2
         b 2.0.0: a@1
         b 3.0.0:
         start 1.0.0: a@1",
        &dependencies(&json!({ "a": "3", "b": "3", "start": "1" })),
        &[
            "a 3.0.0",
            "b 3.0.0",
            "start 1.0.0",
            "start > a 1.0.0",
            "start > b 1.0.0",
            "start > b > a 2.0.0",
            "start > b > b 2.0.0",
            "start > b > b > a 1.0.0",
            "start > b > b > b link",
        ],
    );
    let link = &lockfile.packages["node_modules/start/node_modules/b/node_modules/b/node_modules/b"];
    assert!(link.link);
    assert_eq!(link.resolved.as_deref(), Some("node_modules/start/node_modules/b"));
}

#[test]
fn peers_come_along_and_sit_beside_their_dependent() {
    assert_tree(
        "plugin 1.0.0: peer:host@^1
         host 1.0.0: helper@1
         host 2.0.0:
         helper 1.0.0:",
        &dependencies(&json!({ "plugin": "1" })),
        &["helper 1.0.0 peer", "host 1.0.0 peer", "plugin 1.0.0"],
    );
}

#[test]
fn a_peer_chooses_the_version_where_the_project_leaves_it_open() {
    assert_tree(
        "plugin 1.0.0: peer:host@^1
         host 1.0.0:
         host 2.0.0:",
        &dependencies(&json!({ "plugin": "1", "host": ">=1" })),
        &["host 1.0.0", "plugin 1.0.0"],
    );
}

#[test]
fn peers_of_a_dependency_nest_with_it() {
    // b and its peer c@1 have to see the same c, which the top cannot offer.
    assert_tree(
        "a 1.0.0: b@1
         b 1.0.0: peer:c@1
         c 1.0.0:
         c 2.0.0:",
        &dependencies(&json!({ "a": "1", "c": "2" })),
        &["a 1.0.0", "a > b 1.0.0", "a > c 1.0.0 peer", "c 2.0.0"],
    );
}

#[test]
fn peers_of_peers_form_one_group() {
    assert_tree(
        "ui 1.0.0: peer:core@^1 peer:style@^1
         style 1.0.0: peer:core@^1
         style 1.1.0: peer:core@^2
         core 1.0.0:
         core 2.0.0:
         style latest 1.0.0",
        &dependencies(&json!({ "ui": "1" })),
        &["core 1.0.0 peer", "style 1.0.0 peer", "ui 1.0.0"],
    );
}

#[test]
fn peers_may_be_mutual() {
    assert_tree(
        "a 1.0.0: peer:b@1
         b 1.0.0: peer:a@1",
        &dependencies(&json!({ "a": "1" })),
        &["a 1.0.0", "b 1.0.0 peer"],
    );
}

#[test]
fn an_optional_peer_is_not_installed_but_constrains() {
    let table = "tool 1.0.0: peer?:extra@^1
         user 1.0.0: extra@*
         extra 1.0.0:
         extra 2.0.0:";
    assert_tree(table, &dependencies(&json!({ "tool": "1" })), &["tool 1.0.0"]);
    let source = Table::new(table);
    source.resolve(&dependencies(&json!({ "tool": "1" })), None).unwrap();
    assert_eq!(source.asked(), ["tool"], "nobody asks for it, so nobody has to be asked");
    let both = dependencies(&json!({ "tool": "1", "user": "1" }));
    assert_tree(table, &both, &["extra 1.0.0", "tool 1.0.0", "user 1.0.0"]);
}

#[test]
fn what_the_project_has_is_followed_in_no_other_version() {
    let source = Table::new(
        "a 1.0.0: tool@*
         strict 1.0.0: tool@2
         tool 1.0.0:
         tool 2.0.0: native@1
         native 1.0.0:",
    );
    let asked_with = |other: &str| {
        source.resolve(&dependencies(&json!({ other: "1", "tool": "1" })), None).unwrap();
        let mut asked = source.asked();
        asked.sort();
        asked
    };
    assert_eq!(asked_with("a"), ["a", "tool"], "the newest version of the tool needs more, and is not installed");
    assert_eq!(asked_with("strict"), ["native", "strict", "tool"]);
}

#[test]
fn a_conflict_of_the_projects_own_peers_is_an_error_that_names_both_sides() {
    let table = Table::new(
        "plugin 1.0.0: peer:host@^2
         host 1.0.0:
         host 2.0.0:",
    );
    let error = table.resolve(&dependencies(&json!({ "host": "^1", "plugin": "1" })), None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "plugin@1.0.0 needs host@^2 beside it, but would get host@1.0.0, because the project asks for host@^1"
    );
    assert!(error.hint().unwrap().contains("host@^2"));
}

#[test]
fn a_conflict_among_dependencies_is_put_up_with() {
    // x and y both want to share z with their dependent, in different versions; npm installs one of them.
    assert_tree(
        "xy 1.0.0: x@1 y@1
         x 1.0.0: peer:z@1
         y 1.0.0: peer:z@2
         z 1.0.0:
         z 2.0.0:",
        &dependencies(&json!({ "xy": "1" })),
        &["x 1.0.0", "xy 1.0.0", "xy > y 1.0.0", "xy > z 2.0.0 peer", "z 1.0.0 peer"],
    );
}

#[test]
fn flags_say_what_for() {
    let manifest = json!({
        "name": "project",
        "dependencies": { "a": "1" },
        "devDependencies": { "d": "1" },
        "optionalDependencies": { "o": "1" },
    });
    assert_tree(
        "a 1.0.0: shared@1
         d 1.0.0: shared@1 onlydev@1 both@1
         o 1.0.0: both@1 onlyopt@1
         shared 1.0.0:
         onlydev 1.0.0:
         onlyopt 1.0.0: os=linux
         both 1.0.0:",
        &manifest,
        &[
            "a 1.0.0",
            "both 1.0.0 devOptional",
            "d 1.0.0 dev",
            "o 1.0.0 optional",
            "onlydev 1.0.0 dev",
            "onlyopt 1.0.0 optional",
            "shared 1.0.0",
        ],
    );
}

#[test]
fn an_optional_dependency_that_does_not_exist_is_left_out_with_what_needs_it() {
    let manifest = json!({
        "name": "project",
        "dependencies": { "a": "1" },
        "optionalDependencies": { "gone": "1", "broken": "1", "wrong": "9" },
    });
    assert_tree(
        "a 1.0.0: opt:gone@1
         broken 1.0.0: missing@1 fine@1
         fine 1.0.0:
         wrong 1.0.0:",
        &manifest,
        &["a 1.0.0"],
    );
}

#[test]
fn a_dependency_that_does_not_exist_names_its_asker() {
    let table = Table::new(
        "a 1.0.0: b@1
         b 1.0.0: c@1 d@^3
         d 1.0.0:",
    );
    let error = table.resolve(&dependencies(&json!({ "a": "1" })), None).unwrap_err();
    assert_eq!(error.to_string(), "there is no package \"c@1\", wanted by b@1.0.0 (a@1.0.0 → b@1.0.0)");
    let table = Table::new("d 1.0.0:");
    let error = table.resolve(&dependencies(&json!({ "d": "^3" })), None).unwrap_err();
    assert_eq!(error.to_string(), "there is no version for \"d@^3\", wanted by the project; the latest is 1.0.0");
}

#[test]
fn other_sources_are_refused_by_name() {
    for (spec, what) in [
        ("file:../x", "a folder or tarball on this machine"),
        ("github:a/b", "a git repository"),
        ("https://a.test/x.tgz", "a tarball behind a URL"),
        ("workspace:*", "a workspace member"),
    ] {
        let error = Table::new("").resolve(&dependencies(&json!({ "x": spec })), None).unwrap_err();
        assert!(matches!(error, ResolveError::Unsupported { .. }));
        let expected = format!("\"x@{spec}\", wanted by the project is {what}, which is not supported yet");
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn bundled_dependencies_are_left_to_the_tarball() {
    let lockfile = assert_tree(
        "a 1.0.0: b@1 c@1 bundle=b
         c 1.0.0:",
        &dependencies(&json!({ "a": "1" })),
        &["a 1.0.0", "c 1.0.0"],
    );
    assert_eq!(lockfile.packages["node_modules/a"].bundle_dependencies, ["b"]);
}

#[test]
fn overrides_replace_what_packages_ask_for() {
    let table = "a 1.0.0: c@^1
         b 1.0.0: c@^1 a@1
         c 1.0.0:
         c 1.5.0:
         c 2.0.0:";
    let with = |overrides: Value| {
        let mut manifest = dependencies(&json!({ "a": "1", "b": "1" }));
        manifest["overrides"] = overrides;
        manifest
    };
    assert_tree(table, &with(json!({ "c": "2.0.0" })), &["a 1.0.0", "b 1.0.0", "c 2.0.0"]);
    assert_tree(table, &with(json!({ "c@^1": "1.0.0" })), &["a 1.0.0", "b 1.0.0", "c 1.0.0"]);
    assert_tree(table, &with(json!({ "c@^2": "1.0.0" })), &["a 1.0.0", "b 1.0.0", "c 1.5.0"]);
    assert_tree(table, &with(json!({ "c": "npm:a@1" })), &["a 1.0.0", "b 1.0.0", "c 1.0.0"]);
    // Below b, where a is too.
    let nested = with(json!({ "b": { "c": "2.0.0" } }));
    assert_tree(table, &nested, &["a 1.0.0", "b 1.0.0", "c 2.0.0"]);
    let apart = "a 1.0.0: c@^1
         b 1.0.0: c@^1
         c 1.0.0:
         c 2.0.0:";
    assert_tree(apart, &nested, &["a 1.0.0", "b 1.0.0", "b > c 2.0.0", "c 1.0.0"]);
    let error = Table::new(table).resolve(&with(json!({ "a": "2" })), None).unwrap_err();
    assert_eq!(error.to_string(), "overrides.a says 2, but the project itself depends on a@1");
    let error = Table::new(table).resolve(&with(json!({ "b": { "c": "$d" } })), None).unwrap_err();
    assert_eq!(error.to_string(), "overrides.b.c refers to something that the project does not depend on");
}

#[test]
fn a_lockfile_holds_what_it_can() {
    let old = Table::new(
        "a 1.0.0: c@^1
         b 1.0.0:
         c 1.0.0:",
    );
    let before = old.resolve(&dependencies(&json!({ "a": "^1", "b": "^1" })), None).unwrap();
    let new = Table::new(
        "a 1.0.0: c@^1
         a 1.1.0: c@^1
         b 1.0.0:
         b 2.0.0: c@^1 d@*
         c 1.0.0:
         c 1.1.0:
         d 1.0.0:",
    );
    // Nothing changes while what is asked for does not, although newer versions exist.
    let same = new.resolve(&dependencies(&json!({ "a": "^1", "b": "^1" })), Some(&before)).unwrap();
    assert_eq!(same, before);
    assert_eq!(new.asked(), [""; 0]);
    // One dependency changes: it and what it newly needs, nothing else.
    let after = new.resolve(&dependencies(&json!({ "a": "^1", "b": "^2" })), Some(&before)).unwrap();
    assert_eq!(tree(&after), ["a 1.0.0", "b 2.0.0", "c 1.0.0", "d 1.0.0"]);
    assert_eq!(new.asked(), ["b", "d"]);
    // One goes: what only it needed goes too.
    let fewer = new.resolve(&dependencies(&json!({ "b": "^2" })), Some(&after)).unwrap();
    assert_eq!(tree(&fewer), ["b 2.0.0", "c 1.0.0", "d 1.0.0"]);
    assert_eq!(new.asked(), [""; 0]);
    // It moves to development: only flags change.
    let dev = json!({ "name": "project", "version": "1.0.0", "devDependencies": { "b": "^2" } });
    let moved = new.resolve(&dev, Some(&fewer)).unwrap();
    assert_eq!(tree(&moved), ["b 2.0.0 dev", "c 1.0.0 dev", "d 1.0.0 dev"]);
}

#[test]
fn disagreements_are_told_in_words() {
    let table = Table::new(
        "a 1.0.0: b@^1
         b 1.0.0:",
    );
    let manifest = dependencies(&json!({ "a": "^1" }));
    let lockfile = table.resolve(&manifest, None).unwrap();
    let told = |manifest: &Value, lockfile: &Lockfile| -> Vec<String> {
        let manifest = Manifest::parse("package.json", &manifest.to_string()).unwrap();
        disagreements(&manifest, lockfile).iter().map(ToString::to_string).collect()
    };
    let other = json!({ "name": "project", "dependencies": { "a": "1.0.0", "c": "*" } });
    assert_eq!(
        told(&other, &lockfile),
        [
            "dependencies.a is \"1.0.0\" in package.json, \"^1\" in the lockfile",
            "dependencies.c (\"*\") is not in the lockfile",
        ]
    );
    let fewer = json!({ "name": "project" });
    assert_eq!(told(&fewer, &lockfile), ["dependencies.a is in the lockfile, but no longer in package.json"]);
    let mut damaged = lockfile.clone();
    damaged.packages.shift_remove("node_modules/b");
    assert_eq!(told(&manifest, &damaged), ["nothing is locked for \"b@^1\", wanted by a@1.0.0"]);
    let mut damaged = lockfile;
    damaged.packages.get_mut("node_modules/b").unwrap().version = Some("2.0.0".to_owned());
    assert_eq!(told(&manifest, &damaged), ["b@2.0.0 is locked for \"b@^1\", wanted by a@1.0.0"]);
}

/// Random registries, full of peers at odds, with the trees that npm 11.19 built for them: at first, and from its own
/// lockfile after an edit of `package.json`. Left out of the recording are those on which npm itself fails, hangs, or
/// leaves a dependency unsatisfied.
#[test]
fn npm_builds_the_same_trees() {
    let mut count = 0;
    for line in include_str!("fixtures/npm-trees.jsonl").lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let table = Table::recorded(case["packuments"].as_object().unwrap());
        let first = table.resolve(&case["manifest"], None);
        let told = |result: &Result<Lockfile, ResolveError>| match result {
            Ok(lockfile) => json!(tree(lockfile)),
            Err(ResolveError::PeerConflict(_)) => json!("ERESOLVE"),
            Err(ResolveError::NoVersion { .. }) => json!("ETARGET"),
            Err(other) => json!(other.to_string()),
        };
        assert_eq!(told(&first), case["tree"], "{}", case["manifest"]);
        if let Ok(first) = first {
            let second = table.resolve(&case["edited"], Some(&first));
            assert_eq!(told(&second), case["editedTree"], "{} and then {}", case["manifest"], case["edited"]);
        }
        count += 1;
    }
    assert!(count > 100);
}
