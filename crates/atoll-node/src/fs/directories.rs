//! Directories that are read piece by piece (`opendir`).

use super::FsState;
use super::errors::{of_file, path};
use super::operation::{Context, Done, Outcome};
use super::paths::listed;
use atoll_engine::{Call, JsError};
use std::sync::{Mutex, PoisonError};

/// Names that one operation reads at most, whatever `bufferSize` a program gives: these it then has in memory.
const MAX_NAMES: u32 = 1 << 16;

/// `(path)` → the number of an open directory.
pub(super) fn open(call: &mut Call<'_, '_, '_>) -> Result<impl Fn(&Context) -> Done + Send + use<>, JsError> {
    let named = path(call, 0, "opendir")?;
    let place = call.state::<FsState>().reserve().map_err(|errno| named.errno(errno, "opendir"))?;
    Ok(move |context: &Context| {
        // Its place is the operation's until the directory has a number.
        let _ = &place;
        let opened = context.mounts.open_dir(&named.path);
        opened.map(Outcome::OpenedDirectory).map_err(|error| named.error(&error, "opendir"))
    })
}

/// `(number, most, bytes)` → names, as bytes if wanted, and a character for each, as `read_dir` of paths does; none at the end.
pub(super) fn read(call: &mut Call<'_, '_, '_>) -> Result<impl Fn(&Context) -> Done + Send + use<>, JsError> {
    let (number, most, as_bytes) = (call.u32(0)?, call.u32(1)?.min(MAX_NAMES), call.boolean(2));
    let directory = call.state::<FsState>().directory(number).map_err(|errno| of_file(errno, "scandir"))?;
    Ok(move |_: &Context| {
        let mut directory = directory.lock().unwrap_or_else(PoisonError::into_inner);
        let listing = directory.read(most as usize).map_err(|errno| of_file(errno, "scandir"))?;
        Ok(listed(&listing, as_bytes).into())
    })
}

/// `(number)`.
pub(super) fn close(call: &mut Call<'_, '_, '_>) -> Result<impl Fn(&Context) -> Done + Send + use<>, JsError> {
    let number = call.u32(0)?;
    // The number is free from here on; what is under way keeps the directory open.
    let directory = call.state::<FsState>().close_directory(number).map_err(|errno| of_file(errno, "closedir"))?;
    let directory = Mutex::new(Some(directory));
    Ok(move |_: &Context| {
        drop(directory.lock().map(|mut directory| directory.take()));
        Ok(().into())
    })
}
