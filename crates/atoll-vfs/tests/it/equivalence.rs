//! Memory, overlays and host directories by both ways of confining give the same answers as the host's filesystem, to
//! the same sequences of operations.

use crate::operations::{Operation, Player, operation, whole_tree};
use atoll_vfs::{Confinement, HostDir, Layer, Memory, Overlay, Quota};
use proptest::prelude::*;
use std::sync::Arc;

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
        // Without hard links: what an overlay says of those that exist below differs, and has tests of its own.
        seed in proptest::collection::vec(operation().prop_filter("links", |operation| !matches!(operation, Operation::HardLink(..))), 1..40),
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
}
