//! Where Atoll keeps its files: the XDG base directories, or what the environment says.

use crate::terminal::{Failure, print_warning};
use atoll_runtime::SealedCache;
use etcetera::{BaseStrategy, choose_base_strategy};
use std::path::PathBuf;
use std::sync::Arc;

/// The user's directories.
#[derive(Debug, Clone)]
pub(crate) struct Directories {
    /// What may be deleted at any time: `ATOLL_CACHE_DIR`, else `$XDG_CACHE_HOME/atoll`.
    pub(crate) cache: PathBuf,
    /// Packages: `ATOLL_STORE_DIR`, else `$XDG_DATA_HOME/atoll/store`.
    pub(crate) store: PathBuf,
    /// Secrets by which this machine knows its own work: `ATOLL_STATE_DIR`, else `$XDG_STATE_HOME/atoll`.
    pub(crate) state: PathBuf,
    /// The user's home.
    pub(crate) home: PathBuf,
}

impl Directories {
    pub(crate) fn find() -> Result<Self, Failure> {
        let base = choose_base_strategy()
            .map_err(|error| Failure::new(format!("no home directory: {error}")).hint("set HOME"))?;
        let chosen = |variable: &str, default: PathBuf| std::env::var_os(variable).map_or(default, PathBuf::from);
        let state = base.state_dir().unwrap_or_else(|| base.data_dir());
        Ok(Self {
            cache: chosen("ATOLL_CACHE_DIR", base.cache_dir().join("atoll")),
            store: chosen("ATOLL_STORE_DIR", base.data_dir().join("atoll/store")),
            state: chosen("ATOLL_STATE_DIR", state.join("atoll")),
            home: base.home_dir().to_owned(),
        })
    }

    /// The cache of compiled code. Without one everything works, only slower.
    pub(crate) fn code_cache(&self) -> Option<Arc<SealedCache>> {
        match SealedCache::open(self.cache.join("code"), &self.state.join("code-secret")) {
            Ok(cache) => Some(Arc::new(cache)),
            Err(error) => {
                print_warning(format_args!("compiled code can't be kept in {}: {error}", self.cache.display()));
                None
            }
        }
    }
}
