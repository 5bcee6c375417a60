//! Waiting for a descriptor.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// Waits until reading would not, or `patience` is over (poll(2)): whether there is something to read, which may be the end.
pub fn wait_readable(descriptor: impl AsFd, patience: Duration) -> io::Result<bool> {
    let deadline = Instant::now().checked_add(patience);
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        // One that does not fit is longer than anybody waits.
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(&mut [PollFd::new(&descriptor, PollFlags::IN)], left.as_ref()) {
            Ok(ready) => return Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::wait_readable;
    use std::io::Write;
    use std::time::Duration;

    #[test]
    fn a_pipe_is_readable_when_something_or_its_end_is_there() {
        let (reader, mut writer) = std::io::pipe().expect("a pipe");
        assert!(!wait_readable(&reader, Duration::from_millis(1)).expect("a pipe can be waited for"));
        writer.write_all(b"x").expect("it is open");
        assert!(wait_readable(&reader, Duration::ZERO).expect("as before"));
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(writer);
        assert!(wait_readable(&reader, Duration::MAX).expect("as before"));
    }
}
