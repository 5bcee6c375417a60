//! Error numbers of the kernel as guests see them: any number has a name and words, each name has one number, and the
//! text of an error is whole whatever the paths in it.

#![no_main]

use arbitrary::Arbitrary;
use atoll_vfs::{Errno, FsError, GuestPath, LayerError};
use libfuzzer_sys::fuzz_target;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// The kernel's error numbers end here (`MAX_ERRNO`).
const MAX_ERRNO: u16 = 4095;

#[derive(Debug, Arbitrary)]
struct Failure<'a> {
    number: u16,
    path: Option<&'a [u8]>,
    dest: Option<&'a [u8]>,
}

fuzz_target!(|failure: Failure<'_>| {
    let number = i32::from(failure.number % MAX_ERRNO) + 1;
    let errno = Errno::from(atoll_sys::Errno::from_raw_os_error(number));
    assert_eq!(errno.raw(), number);
    assert_eq!(LayerError::from(atoll_sys::Errno::from_raw_os_error(number)), LayerError::Errno(errno));
    match Errno::ALL.iter().find(|known| known.raw() == number) {
        Some(known) => {
            assert_eq!((known, known.name()), (&errno, errno.name()));
            assert!(errno.name().starts_with('E') && !errno.message().is_empty());
            assert_eq!(Errno::ALL.iter().filter(|other| other.name() == errno.name()).count(), 1);
        }
        None => assert_eq!((errno.name(), errno.message()), ("UNKNOWN", "unknown error")),
    }
    let mut error = FsError::new(errno, "open");
    let mut expected = format!("{}: {}, open", errno.name(), errno.message());
    assert_eq!(error.to_string(), expected);
    if let Some(path) = failure.path {
        error = error.with_path(OsStr::from_bytes(path));
        expected += &format!(" '{}'", String::from_utf8_lossy(path));
        if let Ok(path) = GuestPath::root().join_bytes(path) {
            assert!(path.to_string().starts_with('/') && format!("{path:?}").starts_with("GuestPath(/"));
        }
    }
    if let Some(dest) = failure.dest {
        error = error.with_dest(OsStr::from_bytes(dest));
        expected += &format!(" -> '{}'", String::from_utf8_lossy(dest));
    }
    assert_eq!(error.to_string(), expected);
});
