//! Guest paths in, Node's errors out.

use super::FsState;
use atoll_engine::{Call, JsError, Value};
use atoll_vfs::{Errno, FsError, GuestPath, MountTable};
use std::sync::Arc;

/// A path argument: where it leads, and how the program wrote it, which is how errors show it.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) path: GuestPath,
    pub(super) given: String,
}

/// A string or bytes as path, relative to the working directory. `syscall` is for the error.
pub(super) fn path(call: &mut Call<'_, '_, '_>, index: usize, syscall: &'static str) -> Result<Named, JsError> {
    let bytes = bytes_or_text(call, index)?;
    let given = String::from_utf8_lossy(&bytes).into_owned();
    match call.state::<FsState>().working_directory.join_bytes(&bytes) {
        Ok(path) => Ok(Named { path, given }),
        Err(error) => Err(thrown(&FsError::new(error.errno(), syscall).with_path(given))),
    }
}

/// The first two arguments as paths; an error names both.
pub(super) fn two_paths(call: &mut Call<'_, '_, '_>, syscall: &'static str) -> Result<(Named, Named), JsError> {
    let (from, to) = (bytes_or_text(call, 0)?, bytes_or_text(call, 1)?);
    let given = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let working_directory = &call.state::<FsState>().working_directory;
    let joined = working_directory.join_bytes(&from).and_then(|first| Ok((first, working_directory.join_bytes(&to)?)));
    match joined {
        Ok((first, second)) => {
            Ok((Named { path: first, given: given(&from) }, Named { path: second, given: given(&to) }))
        }
        Err(error) => Err(thrown(&FsError::new(error.errno(), syscall).with_path(given(&from)).with_dest(given(&to)))),
    }
}

/// A string's UTF-8, or bytes.
pub(super) fn bytes_or_text(call: &mut Call<'_, '_, '_>, index: usize) -> Result<Vec<u8>, JsError> {
    match call.string(index) {
        Ok(text) => Ok(text.into_bytes()),
        Err(not_a_string) => call.bytes(index).map_err(|_| not_a_string),
    }
}

/// The worker's mounts.
pub(super) fn mounts(call: &mut Call<'_, '_, '_>) -> Arc<MountTable> {
    Arc::clone(&call.state::<FsState>().mounts)
}

/// The exception for a failed call, with the properties in Node's order.
pub(super) fn thrown(error: &FsError) -> JsError {
    let mut exception = JsError::error(error.to_string())
        .with("errno", Value::Number(f64::from(-error.errno.raw())))
        .with("code", error.errno.name())
        .with("syscall", error.syscall);
    if let Some(path) = &error.path {
        exception = exception.with("path", path.as_str());
    }
    if let Some(dest) = &error.dest {
        exception = exception.with("dest", dest.as_str());
    }
    exception
}

impl Named {
    /// The exception for a call on this path. The call's name is the program's, whatever served it.
    pub(super) fn error(&self, error: &FsError, syscall: &'static str) -> JsError {
        // An error without a path came after the file was open.
        if error.path.is_none() {
            return thrown(error);
        }
        thrown(&FsError { errno: error.errno, syscall, path: Some(self.given.clone()), dest: None })
    }

    /// The exception for a call on two paths.
    pub(super) fn error_with(&self, dest: &Self, errno: Errno, syscall: &'static str) -> JsError {
        thrown(&FsError { errno, syscall, path: Some(self.given.clone()), dest: Some(dest.given.clone()) })
    }
}

/// The exception for a call on an open file.
pub(super) fn of_file(errno: Errno, syscall: &'static str) -> JsError {
    thrown(&FsError::new(errno, syscall))
}
