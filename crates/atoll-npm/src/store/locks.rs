//! Waiting for another process's lock in the store, not for ever.

use std::{
    fs::{File, TryLockError},
    io,
    sync::mpsc,
    thread,
    time::Duration,
};

/// How long another process may have a file of the store locked: it takes microseconds for what these locks are for, so one
/// that has it for longer than this has been stopped.
const DEADLINE: Duration = Duration::from_secs(10);

/// Locks a file of the store for reading.
///
/// # Errors
/// `TimedOut` when another process does not let it go; the error names that process. Else the system's.
pub(super) fn lock_shared(file: &File) -> io::Result<()> {
    lock_shared_within(file, DEADLINE)
}

fn lock_shared_within(file: &File, deadline: Duration) -> io::Result<()> {
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(error),
        Ok(()) => return Ok(()),
    }
    // The lock belongs to what both descriptors are of. A thread that waits in vain ends with the other process.
    let (sender, receiver) = mpsc::sync_channel(1);
    let same = file.try_clone()?;
    let waiting = move || {
        // Nobody wants it any more when the receiver is gone.
        let _ = sender.send(same.lock_shared());
    };
    thread::Builder::new().name("store-lock".to_owned()).spawn(waiting)?;
    receiver.recv_timeout(deadline).unwrap_or_else(|_| {
        let holder = atoll_sys::locks::flock_holder(file);
        let holder = holder.map_or_else(|| "another process".to_owned(), |process| format!("process {process}"));
        let seconds = deadline.as_secs_f64();
        let problem = format!("{holder} has had it locked for {seconds} s; let that go on, or end it");
        Err(io::Error::new(io::ErrorKind::TimedOut, problem))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_is_not_let_go_is_not_waited_for_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        let (held, wanted) = (File::create(&path).unwrap(), File::open(&path).unwrap());
        held.lock().unwrap();
        let error = lock_shared_within(&wanted, Duration::from_millis(50)).unwrap_err();
        let expected =
            format!("process {} has had it locked for 0.05 s; let that go on, or end it", std::process::id());
        assert_eq!((error.kind(), error.to_string()), (io::ErrorKind::TimedOut, expected));
        thread::scope(|scope| {
            let waiting = scope.spawn(|| lock_shared(&File::open(&path).unwrap()));
            held.unlock().unwrap();
            waiting.join().unwrap().unwrap();
        });
        lock_shared(&wanted).unwrap();
    }
}
