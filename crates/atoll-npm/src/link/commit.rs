//! Puts a staged tree in place, all of it or nothing: a journal, then renames.
//!
//! A single move to where nothing is, which is what a first installation from its lockfile comes to, is one rename: it has
//! happened or it has not, and neither journal nor sync would add anything.
//!
//! Each step either moves something from the stage to its place (what was there goes to the stage's `trash/`) or only
//! takes something away. The journal with all steps is written and synced before the first one. A process killed in
//! between leaves stage and journal; the next installation does the steps again, which is harmless for those already
//! done, and finishes. Should someone have changed `package.json` or the lockfile in the meantime, the journal is not
//! followed: the tree is then planned anew, from nothing, since the first steps took away its description.
//!
//! A repository can contain a folder that looks like a stage, and links for its steps to follow out of the project. So a
//! journal carries a proof made with the machine key, for this project's path, and is discarded without it.

use std::{
    fs, io,
    os::unix::ffi::OsStrExt,
    path::{Component, Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::store::{MachineKey, PROOF_BYTES};

/// File name of the journal, in the stage.
const JOURNAL: &str = "commit.json";
/// Folder in the stage for what was replaced or removed.
const TRASH: &str = "trash";
/// What the proof of a journal is for.
const PURPOSE: &str = "atoll commit 1";

/// What is to be done, in order.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Journal {
    /// Project files that the steps rely on.
    guards: Vec<Guard>,
    steps: Vec<Step>,
}

/// A file that must still be as it was, or already as the steps make it.
#[derive(Debug, Serialize, Deserialize)]
struct Guard {
    path: String,
    /// BLAKE3 of acceptable contents; `None` stands for "absent".
    accepted: Vec<Option<String>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Step {
    /// Path in the stage; `None` to only take away.
    from: Option<String>,
    /// Path in the project.
    to: String,
}

impl Journal {
    /// Relies on `path` having the content `before`, or `after` once the steps are done.
    pub(crate) fn guard(&mut self, path: &str, before: Option<&[u8]>, after: Option<&[u8]>) {
        let digest = |content: Option<&[u8]>| content.map(|content| blake3::hash(content).to_hex().to_string());
        self.guards.push(Guard { path: path.to_owned(), accepted: vec![digest(before), digest(after)] });
    }

    /// Moves `from` (in the stage) to `to` (in the project), replacing what is there.
    pub(crate) fn place(&mut self, from: impl Into<String>, to: impl Into<String>) {
        self.steps.push(Step { from: Some(from.into()), to: to.into() });
    }

    /// Takes `path` out of the project, if it is there.
    pub(crate) fn remove(&mut self, path: impl Into<String>) {
        self.steps.push(Step { from: None, to: path.into() });
    }

    /// Number of steps.
    pub(crate) fn len(&self) -> usize {
        self.steps.len()
    }

    /// Writes the journal, then does what it says.
    pub(crate) fn commit(&self, project: &Path, stage: &Path, key: &MachineKey) -> io::Result<()> {
        if let [Step { from: Some(from), to }] = &self.steps[..] {
            let (from, to) = (inside(stage, from)?, inside(project, to)?);
            if !exists(&to)? && to.parent() == Some(project) {
                return fs::rename(from, to);
            }
        }
        let temporary = stage.join("commit.tmp");
        fs::write(&temporary, self.to_bytes(project, key)?)?;
        if self.replaces_something(project)? {
            // What is replaced is not to be lost to a power failure either. Where nothing is, the next installation is the
            // same as the first one would have been.
            fs::File::open(&temporary)?.sync_all()?;
        }
        fs::rename(&temporary, stage.join(JOURNAL))?;
        self.follow(project, stage)
    }

    fn replaces_something(&self, project: &Path) -> io::Result<bool> {
        for step in &self.steps {
            if exists(&inside(project, &step.to)?)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The proof, then JSON.
    fn to_bytes(&self, project: &Path, key: &MachineKey) -> io::Result<Vec<u8>> {
        let text = serde_json::to_vec(self)?;
        let mut bytes = key.prove(PURPOSE, &[project.as_os_str().as_bytes(), &text]).to_vec();
        bytes.extend_from_slice(&text);
        Ok(bytes)
    }

    /// `None` for anything that this machine did not write for this project.
    fn from_bytes(bytes: &[u8], project: &Path, key: &MachineKey) -> Option<Self> {
        let (proof, text) = bytes.split_at_checked(PROOF_BYTES)?;
        let is_ours = key.believes(proof, PURPOSE, &[project.as_os_str().as_bytes(), text]);
        if is_ours { serde_json::from_slice(text).ok() } else { None }
    }

    /// Does the steps; those that are done already change nothing.
    fn follow(&self, project: &Path, stage: &Path) -> io::Result<()> {
        let trash = stage.join(TRASH);
        fs::create_dir_all(&trash)?;
        for (index, step) in self.steps.iter().enumerate() {
            let to = inside(project, &step.to)?;
            let discarded = trash.join(index.to_string());
            match &step.from {
                Some(from) => {
                    let from = inside(stage, from)?;
                    if !exists(&from)? {
                        continue;
                    }
                    if exists(&to)? && !replaces_by_rename(&from, &to)? {
                        fs::rename(&to, &discarded)?;
                    }
                    if let Some(parent) = to.parent() {
                        fs::create_dir_all(parent)?;
                    }
                    fs::rename(&from, &to)?;
                }
                None if exists(&to)? && !exists(&discarded)? && !self.has_placed(&step.to, stage)? => {
                    fs::rename(&to, &discarded)?;
                }
                None => {}
            }
        }
        Ok(())
    }

    /// Whether what is at `to` was put there by one of the steps already.
    fn has_placed(&self, to: &str, stage: &Path) -> io::Result<bool> {
        for step in self.steps.iter().filter(|step| step.to == to) {
            if let Some(from) = &step.from
                && !exists(&inside(stage, from)?)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn guards_hold(&self, project: &Path) -> io::Result<bool> {
        for guard in &self.guards {
            let content = match fs::read(inside(project, &guard.path)?) {
                Ok(content) => Some(blake3::hash(&content).to_hex().to_string()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(error),
            };
            if !guard.accepted.contains(&content) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Finishes or discards what a killed installation left in `stage`. `true` when there were steps to finish.
pub(crate) fn recover(project: &Path, stage: &Path, key: &MachineKey) -> io::Result<bool> {
    if !exists(stage)? {
        return Ok(false);
    }
    let journal = match fs::read(stage.join(JOURNAL)) {
        Ok(bytes) => Journal::from_bytes(&bytes, project, key),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => None,
        Err(error) => return Err(error),
    };
    let mut followed = false;
    if let Some(journal) = journal
        && journal.guards_hold(project)?
    {
        journal.follow(project, stage)?;
        followed = true;
    }
    // A link or a file in its place goes as what it is.
    if fs::symlink_metadata(stage)?.is_dir() {
        fs::remove_dir_all(stage)?;
    } else {
        fs::remove_file(stage)?;
    }
    Ok(followed)
}

/// A file takes the place of a file in one step, so that there is no moment without either.
fn replaces_by_rename(from: &Path, to: &Path) -> io::Result<bool> {
    Ok(fs::symlink_metadata(from)?.is_file() && fs::symlink_metadata(to)?.is_file())
}

pub(super) fn exists(path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Joins a path of the journal, which must name something inside.
fn inside(root: &Path, path: &str) -> io::Result<PathBuf> {
    let is_plain = |component: Component<'_>| matches!(component, Component::Normal(_));
    if path.is_empty() || !Path::new(path).components().all(is_plain) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("the journal names the path {path:?}")));
    }
    Ok(root.join(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A project with `a` (old) and `gone`, a stage with `a` (new) and `b`, and the journal for it.
    fn scene(dir: &Path) -> (PathBuf, PathBuf, Journal, MachineKey) {
        let key = MachineKey::open(&dir.join("state")).unwrap();
        let (project, stage) = (dir.join("project"), dir.join("project/stage"));
        for (path, content) in [
            ("nm/a/x", "old"),
            ("nm/gone/x", "gone"),
            ("lock", "old lock"),
            ("stage/t/a/x", "new"),
            ("stage/t/s/b/x", "b"),
            ("stage/t/lock", "new lock"),
        ] {
            let path = project.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let mut journal = Journal::default();
        journal.guard("lock", Some(b"old lock"), Some(b"new lock"));
        journal.remove("nm/gone");
        journal.remove("nm/s/b");
        journal.place("t/a", "nm/a");
        journal.place("t/s/b", "nm/s/b");
        journal.place("t/lock", "lock");
        (project, stage, journal, key)
    }

    fn assert_done(project: &Path) {
        let read = |path: &str| fs::read_to_string(project.join(path)).unwrap();
        assert_eq!((read("nm/a/x"), read("nm/s/b/x"), read("lock")), ("new".into(), "b".into(), "new lock".into()));
        assert!(!project.join("nm/gone").exists());
    }

    #[test]
    fn a_commit_interrupted_after_any_step_is_finished() {
        for steps_done in 0..=5 {
            let dir = tempfile::tempdir().unwrap();
            let (project, stage, journal, key) = scene(dir.path());
            let text = journal.to_bytes(&project, &key).unwrap();
            fs::write(stage.join(JOURNAL), &text).unwrap();
            let mut partial = journal;
            partial.steps.truncate(steps_done);
            partial.follow(&project, &stage).unwrap();

            assert!(recover(&project, &stage, &key).unwrap());
            assert_done(&project);
            assert!(!stage.exists());
            assert!(!recover(&project, &stage, &key).unwrap());
        }
    }

    #[test]
    fn a_step_interrupted_in_its_middle_is_finished() {
        let dir = tempfile::tempdir().unwrap();
        let (project, stage, journal, key) = scene(dir.path());
        fs::write(stage.join(JOURNAL), journal.to_bytes(&project, &key).unwrap()).unwrap();
        fs::create_dir_all(stage.join(TRASH)).unwrap();
        fs::rename(project.join("nm/a"), stage.join(TRASH).join("2")).unwrap();
        assert!(recover(&project, &stage, &key).unwrap());
        assert_done(&project);
    }

    #[test]
    fn without_a_journal_or_with_changed_files_nothing_moves() {
        let dir = tempfile::tempdir().unwrap();
        let (project, stage, journal, key) = scene(dir.path());
        assert!(!recover(&project, &stage, &key).unwrap());
        assert_eq!(fs::read_to_string(project.join("nm/a/x")).unwrap(), "old");
        assert!(!stage.exists());

        fs::create_dir_all(stage.join("t/a")).unwrap();
        fs::write(stage.join(JOURNAL), journal.to_bytes(&project, &key).unwrap()).unwrap();
        fs::write(project.join("lock"), "someone else's").unwrap();
        assert!(!recover(&project, &stage, &key).unwrap());
        assert_eq!(fs::read_to_string(project.join("nm/a/x")).unwrap(), "old");
    }

    #[test]
    fn a_journal_of_unknown_origin_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (project, stage, journal, key) = scene(dir.path());
        let other = MachineKey::open(&dir.path().join("other")).unwrap();
        for bytes in [
            serde_json::to_vec(&journal).unwrap(),
            journal.to_bytes(&project, &other).unwrap(),
            journal.to_bytes(&dir.path().join("elsewhere"), &key).unwrap(),
            Vec::new(),
        ] {
            fs::create_dir_all(stage.join("t/a")).unwrap();
            fs::write(stage.join(JOURNAL), bytes).unwrap();
            assert!(!recover(&project, &stage, &key).unwrap());
            assert_eq!(fs::read_to_string(project.join("nm/a/x")).unwrap(), "old");
        }
        for place in ["a file", "a link"] {
            if place == "a file" {
                fs::write(&stage, "").unwrap();
            } else {
                std::os::unix::fs::symlink(project.join("nm"), &stage).unwrap();
            }
            assert!(!recover(&project, &stage, &key).unwrap());
            assert!(!exists(&stage).unwrap() && project.join("nm/a/x").exists(), "{place}");
        }
    }

    #[test]
    fn a_journal_moves_nothing_outside() {
        for to in ["../outside", "/tmp/outside", "", "a/../../x"] {
            let dir = tempfile::tempdir().unwrap();
            let (project, stage, _, key) = scene(dir.path());
            let mut journal = Journal::default();
            journal.place("t/a", to);
            assert!(journal.commit(&project, &stage, &key).is_err(), "{to}");
            assert!(stage.join("t/a").exists());
        }
    }
}
