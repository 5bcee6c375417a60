//! What the tests share.

use atoll_vfs::{Errno, FileKind, GuestPath, Layer, LayerError, LayerPath, LayerResult, NewFile, OpenOptions};

/// A limit that no test file reaches.
pub(crate) const NO_LIMIT: u64 = 1 << 30;

/// A layer path known to be right.
pub(crate) fn at(path: &str) -> LayerPath<'_> {
    LayerPath::new(path.as_bytes()).expect("a plain relative path")
}

/// A guest path known to be right.
pub(crate) fn guest(path: &str) -> GuestPath {
    GuestPath::new(path).expect("a path")
}

/// Creates a file with this content.
pub(crate) fn put(layer: &dyn Layer, path: &str, content: &[u8]) {
    let options = OpenOptions { mode: 0o644, ..OpenOptions::REPLACE };
    let file = layer.open(at(path), &options).expect("creatable");
    assert_eq!(file.write_at(content, 0), Ok(content.len()));
}

/// Opens for writing, creating with `create`.
pub(crate) fn writing(create: NewFile) -> OpenOptions {
    OpenOptions { read: true, write: true, create, ..OpenOptions::READ }
}

/// The whole content.
pub(crate) fn get(layer: &dyn Layer, path: &str) -> LayerResult<Vec<u8>> {
    layer.read(at(path), NO_LIMIT)
}

/// Names and kinds in order.
pub(crate) fn list(layer: &dyn Layer, path: &str) -> LayerResult<Vec<(String, FileKind)>> {
    let mut names: Vec<_> = layer
        .read_dir(at(path))?
        .into_iter()
        .map(|entry| (String::from_utf8_lossy(&entry.name).into_owned(), entry.kind))
        .collect();
    names.sort_by(|left, right| left.0.cmp(&right.0));
    Ok(names)
}

/// That an operation failed with this number.
#[track_caller]
pub(crate) fn fails<T: std::fmt::Debug>(result: LayerResult<T>, errno: Errno) {
    match result {
        Err(LayerError::Errno(found)) => assert_eq!(found, errno),
        other => panic!("wanted {errno:?}, found {other:?}"),
    }
}

/// That an operation came to a link that leads out of the layer.
#[track_caller]
pub(crate) fn leaves<T: std::fmt::Debug>(result: LayerResult<T>) {
    match result {
        Err(LayerError::Leaves) => {}
        other => panic!("wanted to leave, found {other:?}"),
    }
}

/// Removes all that a layer shows.
pub(crate) fn sweep(layer: &dyn Layer, directory: &str) {
    for (name, kind) in list(layer, directory).unwrap() {
        let path = if directory.is_empty() { name } else { format!("{directory}/{name}") };
        if kind == FileKind::Directory {
            sweep(layer, &path);
            layer.remove_dir(at(&path)).unwrap();
        } else {
            layer.remove_file(at(&path)).unwrap();
        }
    }
}

/// What an open file holds.
pub(crate) fn whole(file: &dyn atoll_vfs::File) -> Vec<u8> {
    let mut content = vec![0; 4096];
    let count = file.read_at(&mut content, 0).expect("readable");
    content.truncate(count);
    content
}
