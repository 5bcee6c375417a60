//! Guests that are ended while a native runs, or while its promise is pending.

use super::{LIMITS, Lab, Limit, Wanted};
use crate::harness::block_on;
use std::collections::BTreeSet;

/// Natives that no guest can call in a loop, and why.
const EXEMPT: &[(&str, &[&str])] = &[
    // Called once for a worker, or for each turn, by the platform itself.
    ("node:process", &["argv", "info", "runMicrotasks", "exit", "readInput"]),
    ("web/timers", &["runMicrotasks", "enterRequest", "maxTimers"]),
    // Each with a compilation in the background, which takes memory before it takes time.
    ("engine/wasm", &["hold", "release", "isModule"]),
    // A request's body and its response are there once; `pending` is ended with all of them under way.
    (
        "web/serve",
        &[
            "method",
            "url",
            "readBody",
            "bodyText",
            "bodyBytes",
            "cancelBody",
            "respond",
            "respondStream",
            "writeBody",
            "endBody",
            "abortBody",
            "fail",
        ],
    ),
    ("web/fetch", &["readBody", "writeBody", "endBody"]),
    // Called once for each kind of operation.
    ("node/internal/fs/later", &["number"]),
    // Each is reached by a whole module once.
    ("node/internal/cjs", &["compileText", "requireModule"]),
];

#[test]
fn in_the_middle_of_every_native() {
    block_on(async {
        let lab = Lab::new();
        let (deployment, _) = lab.deploy("natives", LIMITS);
        let listed = lab.get(&deployment, "/attack?list").await.expect("the list");
        let listed: BTreeSet<&str> = listed.trim_start_matches("200 ").lines().collect();
        let natives = atoll_snapshot::startup().builtins.iter().flat_map(|builtin| {
            let is_exempt = |name| EXEMPT.iter().any(|(of, names)| *of == builtin.name && names.contains(&name));
            let names = builtin.natives.iter().map(atoll_engine::Native::name).filter(move |name| !is_exempt(name));
            names.map(move |name| format!("{} {name}", builtin.name))
        });
        let missing: Vec<String> = natives.filter(|native| !listed.contains(native.as_str())).collect();
        assert!(missing.is_empty(), "no way to these natives is known: {missing:?}");
        for native in listed {
            let outcome = lab.get(&deployment, &format!("/attack?{}", native.replace(' ', "%20"))).await;
            let limit = Limit::of(&outcome);
            assert!(matches!(limit, Some(Limit::Cpu | Limit::Memory)), "{native}: {outcome:?}");
            assert_eq!(lab.get(&deployment, "/").await.ok().as_deref(), Some("200 alive 1"), "after {native}");
        }
        lab.assert_neighbour("all of them").await;
    });
}

#[test]
fn while_everything_is_pending() {
    block_on(async {
        let lab = Lab::new();
        for _ in 0..5 {
            lab.attack("pending", LIMITS, Wanted::Ended(Limit::Cpu)).await;
        }
    });
}
