//! `node:os`: a virtual machine's values.
use atoll_engine::{Builtin, Call, NativeResult, Value, natives};

/// `node:os`.
pub(crate) const BUILTIN: Builtin =
    Builtin { name: "node:os", source: include_str!("api.js"), natives: natives! { "info" => info }, globals: &[] };

/// The machine that guests see. State of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OsState {
    /// `os.hostname()`.
    pub hostname: String,
    /// `os.release()`: the version of the kernel that the guest may suppose.
    pub release: String,
    /// `os.version()`.
    pub version: String,
    /// `os.homedir()`: an absolute guest path.
    pub home: String,
    /// `os.tmpdir()`: an absolute guest path.
    pub temporary: String,
    /// `os.userInfo().username`.
    pub user: String,
    /// `os.userInfo().uid`.
    pub uid: u32,
    /// `os.userInfo().gid`.
    pub gid: u32,
    /// `os.availableParallelism()` and the length of `os.cpus()`.
    pub cpus: u32,
    /// `os.totalmem()`, in bytes: the worker's memory limit is a good value.
    pub total_bytes: u64,
    /// `os.freemem()`, in bytes.
    pub free_bytes: u64,
}

impl Default for OsState {
    /// A worker has one thread of its own and is called after the runtime.
    fn default() -> Self {
        const TOTAL_BYTES: u64 = 128 << 20;
        Self {
            hostname: "atoll".to_owned(),
            release: "6.1.0".to_owned(),
            version: "atoll".to_owned(),
            home: "/app".to_owned(),
            temporary: "/tmp".to_owned(),
            user: "app".to_owned(),
            uid: 1000,
            gid: 1000,
            cpus: 1,
            total_bytes: TOTAL_BYTES,
            free_bytes: TOTAL_BYTES / 2,
        }
    }
}

/// `info()`.
#[expect(clippy::unnecessary_wraps, reason = "the signature of natives")]
fn info(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let arch = crate::process::node_arch();
    let os = call.state::<OsState>();
    Ok(Value::Record(vec![
        ("arch", arch.into()),
        ("hostname", os.hostname.as_str().into()),
        ("release", os.release.as_str().into()),
        ("version", os.version.as_str().into()),
        ("home", os.home.as_str().into()),
        ("temporary", os.temporary.as_str().into()),
        ("user", os.user.as_str().into()),
        ("uid", os.uid.into()),
        ("gid", os.gid.into()),
        ("cpus", os.cpus.into()),
        ("totalBytes", Value::Number(os.total_bytes as f64)),
        ("freeBytes", Value::Number(os.free_bytes as f64)),
    ]))
}
