//! Guest paths in, Node's errors out.

use super::FsState;
use super::operation::Failure;
use atoll_engine::{Call, JsError, Value};
use atoll_vfs::{Errno, FsError, GuestPath};

/// A path argument: where it leads, and how the program wrote it, which is how errors show it.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) path: GuestPath,
    /// Where it differs from the path.
    given: Option<Box<str>>,
}

impl From<GuestPath> for Named {
    fn from(path: GuestPath) -> Self {
        Self { path, given: None }
    }
}

/// A string or bytes as path, relative to the working directory. `syscall` is for the error.
pub(super) fn path(call: &mut Call<'_, '_, '_>, index: usize, syscall: &'static str) -> Result<Named, JsError> {
    let working_directory = std::sync::Arc::clone(&call.state::<FsState>().working_directory);
    call.with_utf8(index, |bytes| {
        named(&working_directory, bytes)
            .map_err(|errno| thrown(&FsError::new(errno, syscall).with_path(&*String::from_utf8_lossy(bytes))))
    })?
}

fn named(working_directory: &GuestPath, bytes: &[u8]) -> Result<Named, Errno> {
    let path = working_directory.join_bytes(bytes).map_err(atoll_vfs::PathError::errno)?;
    let given = (path.as_bytes() != bytes).then(|| String::from_utf8_lossy(bytes).into());
    Ok(Named { path, given })
}

/// The first two arguments as paths; an error names both.
pub(super) fn two_paths(call: &mut Call<'_, '_, '_>, syscall: &'static str) -> Result<(Named, Named), JsError> {
    let (from, to) = (call.with_utf8(0, <[u8]>::to_vec)?, call.with_utf8(1, <[u8]>::to_vec)?);
    let working_directory = &call.state::<FsState>().working_directory;
    match named(working_directory, &from).and_then(|first| Ok((first, named(working_directory, &to)?))) {
        Ok(both) => Ok(both),
        Err(errno) => {
            let given = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            Err(thrown(&FsError::new(errno, syscall).with_path(given(&from)).with_dest(given(&to))))
        }
    }
}

/// The exception for a failed call, with the properties in Node's order.
pub(crate) fn thrown(error: &FsError) -> JsError {
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
    /// A path that was written so.
    #[cfg(test)]
    pub(super) fn new(path: GuestPath, given: &str) -> Self {
        Self { path, given: Some(given.into()) }
    }

    /// The path as text, as it was written.
    pub(super) fn given(&self) -> std::borrow::Cow<'_, str> {
        match &self.given {
            Some(given) => given.as_ref().into(),
            None => String::from_utf8_lossy(self.path.as_bytes()),
        }
    }

    /// The exception for a call on this path. The call's name is the program's, whatever served it.
    pub(super) fn error(&self, error: &FsError, syscall: &'static str) -> Failure {
        // An error without a path came after the file was open.
        if error.path.is_none() {
            return thrown(error).into();
        }
        self.errno(error.errno, syscall)
    }

    /// As [`Named::error`], from a number.
    pub(super) fn errno(&self, errno: Errno, syscall: &'static str) -> Failure {
        thrown(&FsError { errno, syscall, path: Some(self.given().into_owned()), dest: None }).into()
    }

    /// The exception for a call on two paths.
    pub(super) fn errno_with(&self, dest: &Self, errno: Errno, syscall: &'static str) -> Failure {
        let (path, dest) = (Some(self.given().into_owned()), Some(dest.given().into_owned()));
        thrown(&FsError { errno, syscall, path, dest }).into()
    }
}

/// The exception for a call on an open file.
pub(super) fn of_file(errno: Errno, syscall: &'static str) -> JsError {
    thrown(&FsError::new(errno, syscall))
}

/// The failure for a call on an open file.
pub(super) fn file_failed(error: &FsError) -> Failure {
    thrown(error).into()
}
