//! Memory, overlays and host directories by both ways of confining give the same answers as the host's filesystem, to
//! the same sequences of operations.

use crate::operations::{Operation, Player, operation, whole_tree};
use crate::support::at;
use crate::watches::Observer;
use atoll_vfs::{Confinement, FinalLink, HostDir, Layer, Memory, Overlay, Quota};
use proptest::prelude::*;
use std::sync::Arc;

/// What may be watched: the root, and most paths that operations use.
const WATCHED: [&str; 9] = ["", "a", "b", "c", "a/a", "a/b", "b/a", "b/c", "c/b"];

/// Without hard links: an overlay says other things of those that exist below, and files that are open by several names are told of
/// by one.
fn without_links() -> impl Strategy<Value = Operation> {
    operation().prop_filter("links", |operation| !matches!(operation, Operation::HardLink(..)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn memory_and_host_directories_agree(operations in proptest::collection::vec(operation(), 1..60)) {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let memory = Memory::new(Quota::DEFAULT);
        let empty = memory.used();
        let beneath = HostDir::read_write(one.path()).unwrap().confined_by(Confinement::Beneath);
        let walk = HostDir::read_write(two.path()).unwrap().confined_by(Confinement::Walk);
        let mut players = [&beneath as &dyn Layer, &walk, &memory].map(Player::new);
        for operation in &operations {
            let [expected, walked, remembered] = players.each_mut().map(|player| player.play(operation));
            prop_assert_eq!(&walked, &expected, "by walking: {:?}", operation);
            prop_assert_eq!(&remembered, &expected, "in memory: {:?}", operation);
        }
        drop(players);
        prop_assert_eq!(whole_tree(&memory, ""), whole_tree(&beneath, ""));
        crate::support::sweep(&memory, "");
        prop_assert_eq!(memory.used(), empty, "all is given back");
    }

    /// What lies below was made by the first operations. The lower layers must come out of it as they were.
    #[test]
    fn overlays_and_host_directories_agree(
        // What an overlay says of hard links that exist below differs, and has tests of its own.
        seed in proptest::collection::vec(without_links(), 1..40),
        operations in proptest::collection::vec(operation(), 1..60),
    ) {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let model = HostDir::read_write(one.path()).unwrap();
        let on_host = HostDir::read_write(two.path()).unwrap();
        let in_memory = Arc::new(Memory::new(Quota::DEFAULT));
        for operation in &seed {
            for layer in [&model as &dyn Layer, &on_host, &*in_memory] {
                let _ = Player::new(layer).play(operation);
            }
        }
        let before = whole_tree(&on_host, "");
        let read_only = |confinement| Arc::new(HostDir::read_only(two.path()).unwrap().confined_by(confinement));
        let overlays = [
            Overlay::new(read_only(Confinement::Beneath), Quota::DEFAULT).unwrap(),
            Overlay::new(read_only(Confinement::Walk), Quota::DEFAULT).unwrap(),
            Overlay::new(Arc::<Memory>::clone(&in_memory), Quota::DEFAULT).unwrap(),
        ];
        let mut expecting = Player::new(&model);
        let mut players = overlays.each_ref().map(|overlay| Player::new(overlay));
        for operation in &operations {
            let expected = expecting.play(operation);
            for (index, player) in players.iter_mut().enumerate() {
                prop_assert_eq!(&player.play(operation), &expected, "overlay {}: {:?}", index, operation);
            }
        }
        drop(players);
        for overlay in &overlays {
            prop_assert_eq!(whole_tree(overlay, ""), whole_tree(&model, ""));
        }
        prop_assert_eq!(whole_tree(&on_host, ""), before);
    }

    /// Whoever watches is told the same by all layers as by the host: of each watch the same events in the same order. An
    /// event that equals the one before may be told once or twice: the kernel drops it where nobody has read that one yet.
    #[test]
    fn all_tell_of_the_same_changes(
        seed in proptest::collection::vec(without_links(), 1..30),
        operations in proptest::collection::vec(without_links(), 1..40),
    ) {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let host = HostDir::read_write(one.path()).unwrap();
        let memory = Memory::new(Quota::DEFAULT);
        let below = HostDir::read_write(two.path()).unwrap();
        let in_memory = Arc::new(Memory::new(Quota::DEFAULT));
        for operation in &seed {
            for layer in [&host as &dyn Layer, &memory, &below, &*in_memory] {
                let _ = Player::new(layer).play(operation);
            }
        }
        let over_host = Overlay::new(Arc::new(below), Quota::DEFAULT).unwrap();
        let over_memory = Overlay::new(in_memory, Quota::DEFAULT).unwrap();
        let told = [&host as &dyn Layer, &memory, &over_host, &over_memory].map(|layer| {
            let mut observer = Observer::new(layer);
            for path in WATCHED {
                if layer.metadata(at(path), FinalLink::Follow).is_ok() {
                    observer.watch(path);
                }
            }
            let mut player = Player::new(layer);
            for operation in &operations {
                let _ = player.play(operation);
            }
            drop(player);
            let mut told = observer.told_by_watch();
            told.values_mut().for_each(Vec::dedup);
            told
        });
        let [expected, remembered, over_host, over_memory] = told;
        prop_assert_eq!(&remembered, &expected, "in memory");
        prop_assert_eq!(&over_host, &expected, "by an overlay over a directory of the host");
        prop_assert_eq!(&over_memory, &expected, "by an overlay over memory");
    }
}
