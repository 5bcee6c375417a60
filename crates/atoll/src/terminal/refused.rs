//! What a program was refused, and the flag that would have granted it.

use super::text::one_line;
use atoll_engine::Exception;

/// What a program sees of files: where its mounts are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Visible {
    /// Absolute guest paths, without a slash at the end.
    points: Vec<String>,
}

impl Visible {
    pub(crate) fn new(points: impl IntoIterator<Item = String>) -> Self {
        Self { points: points.into_iter().map(|point| point.trim_end_matches('/').to_owned()).collect() }
    }

    fn has(&self, path: &str) -> bool {
        self.points
            .iter()
            .any(|point| path.strip_prefix(point.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    }

    /// How to get what `exception` complains of, if it is a file outside of all mounts or in a read-only one. The error
    /// itself says no more than Node's would: programs compare it.
    pub(crate) fn hint(&self, exception: &Exception) -> Option<String> {
        let path = exception.path.as_deref().filter(|path| path.starts_with('/'))?;
        match exception.code.as_deref()? {
            "EROFS" => Some(format!(
                "{} is mounted read-only, or nothing is mounted there; --mount GUEST=HOST:rw shows a directory that may be written to",
                one_line(&folder(path))
            )),
            "ENOENT" if !self.has(path) => {
                let folder = folder(path);
                let folder = one_line(&folder);
                Some(format!(
                    "the program sees its project and what is mounted; --mount {folder}={folder} shows it that"
                ))
            }
            _ => None,
        }
    }
}

/// The directory that a file lies in, which is what can be mounted.
fn folder(path: &str) -> String {
    match path.rsplit_once('/') {
        None | Some(("", _)) => path.to_owned(),
        Some((folder, _)) => folder.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Visible, folder};

    #[test]
    fn paths_of_mounts_are_visible() {
        let visible = Visible::new(["/app".to_owned(), "/tmp/".to_owned()]);
        assert!(visible.has("/app") && visible.has("/app/x") && visible.has("/tmp/x/y"));
        assert!(!visible.has("/application") && !visible.has("/etc/passwd") && !visible.has("/"));
    }

    #[test]
    fn folders() {
        assert_eq!([folder("/etc/passwd"), folder("/etc"), folder("/a/b/c")], ["/etc", "/etc", "/a/b"]);
    }
}
