//! Paths, with generated input.

use atoll_vfs::{Ending, GuestPath, LayerPath, MAX_PATH_BYTES, PathError};
use proptest::prelude::*;

#[test]
fn paths_are_normalised_but_parents_stay() {
    for (path, expected, wants_directory) in [
        ("/", "/", false),
        ("/a", "/a", false),
        ("a", "/a", false),
        ("/a//b/./c", "/a/b/c", false),
        ("/a/", "/a", true),
        ("/a/.", "/a", true),
        ("/..", "/", true),
        ("/../../a", "/a", false),
        ("/a/..", "/a/..", true),
        ("/a/../b/", "/a/../b", true),
        ("/...", "/...", false),
        ("/./.", "/", true),
    ] {
        let parsed = GuestPath::new(path).unwrap();
        assert_eq!((parsed.as_bytes(), parsed.wants_directory()), (expected.as_bytes(), wants_directory), "{path}");
    }
    for (path, ending) in
        [("/a", Ending::Name), ("/a//", Ending::Slash), ("/a/./", Ending::Dot), ("..", Ending::Parent)]
    {
        assert_eq!(GuestPath::new(path).unwrap().ending(), ending, "{path}");
    }
    assert_eq!(GuestPath::new("/").unwrap().ending(), Ending::Name);
    let base = GuestPath::new("/base").unwrap();
    for (path, expected) in [("x", "/base/x"), ("/x", "/x"), (".", "/base"), ("..", "/base/.."), ("./x/", "/base/x")] {
        assert_eq!(base.join(path).unwrap().as_bytes(), expected.as_bytes());
    }
    assert_eq!(GuestPath::new(""), Err(PathError::Empty));
    assert_eq!(GuestPath::new("/a\0b"), Err(PathError::Nul));
    assert_eq!(GuestPath::new("/n".repeat(MAX_PATH_BYTES)), Err(PathError::TooLong));
    let long = GuestPath::new("/n".repeat(2000)).unwrap();
    assert_eq!(long.join("n/".repeat(1000)), Err(PathError::TooLong));
}

#[test]
fn prefixes_end_at_components() {
    let path = GuestPath::new("/app/src/x").unwrap();
    let below = |prefix: &str| path.strip_prefix(&GuestPath::new(prefix).unwrap()).map(LayerPath::as_bytes);
    assert_eq!(below("/"), Some(&b"app/src/x"[..]));
    assert_eq!(below("/app"), Some(&b"src/x"[..]));
    assert_eq!(below("/app/src/x"), Some(&b""[..]));
    assert_eq!(below("/ap"), None);
    assert_eq!(below("/app/src/x/y"), None);
}

#[test]
fn layer_paths_are_plain() {
    for path in ["", "a", "a/b", "...", "a b"] {
        assert!(LayerPath::new(path.as_bytes()).is_some(), "{path}");
    }
    for path in ["/", "/a", "a/", "a//b", ".", "..", "a/../b", "a/.", "a\0"] {
        assert!(LayerPath::new(path.as_bytes()).is_none(), "{path}");
    }
    let path = LayerPath::new(b"a/b/c").unwrap();
    let (directory, name) = path.split_last().unwrap();
    assert_eq!((directory.as_bytes(), name), (&b"a/b"[..], &b"c"[..]));
    assert_eq!(LayerPath::ROOT.split_last(), None);
}

proptest! {
    #[test]
    fn any_bytes_become_a_plain_path_or_an_error(bytes in proptest::collection::vec(prop_oneof![Just(b'/'), Just(b'.'), any::<u8>()], 0..60)) {
        let Ok(path) = GuestPath::root().join_bytes(&bytes) else {
            prop_assert!(bytes.is_empty() || bytes.contains(&0));
            return Ok(());
        };
        prop_assert!(path.as_bytes().starts_with(b"/"));
        prop_assert!(path.components().all(|name| !name.is_empty() && name != b"." && !name.contains(&0)));
        prop_assert!(path.components().next() != Some(b".."));
        // Saying it again changes nothing.
        let again = GuestPath::root().join_bytes(path.as_bytes()).unwrap();
        prop_assert_eq!(again.as_bytes(), path.as_bytes());
        if !path.has_parent_components() {
            let below = path.strip_prefix(&GuestPath::root()).unwrap();
            prop_assert!(LayerPath::new(below.as_bytes()).is_some());
        }
        // The parent of what is joined is what it was joined to.
        let parent = path.join("name").unwrap().parent();
        prop_assert_eq!(parent.as_bytes(), path.as_bytes());
    }

    #[test]
    fn joining_in_two_steps_is_joining_at_once(first in "[a-c./]{1,12}", second in "[a-c.]{1,6}(/[a-c.]{1,3}){0,2}") {
        let stepwise = GuestPath::new(&first).unwrap().join(&second).unwrap();
        let at_once = GuestPath::new(format!("{first}/{second}")).unwrap();
        prop_assert_eq!(stepwise, at_once);
    }
}
