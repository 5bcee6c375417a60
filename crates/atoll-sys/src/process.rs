//! Whose this process is.

/// The numbers of the user and the group with whose rights this process works.
pub fn effective_user() -> (u32, u32) {
    (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw())
}
