//! How many descriptors the process may have.

use crate::{Errno, counted};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the number of descriptors that the process may have open to the most that the system lets it have, which is
/// usually far more than it starts with. The number from then on; `None` where there is no limit.
pub fn raise_limit() -> Result<Option<u64>, Errno> {
    counted!("getrlimit");
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    counted!("setrlimit");
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    Ok(maximum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_what_the_system_admits() {
        let raised = raise_limit().expect("lowering and raising within the bound is always allowed");
        assert_eq!(getrlimit(Resource::Nofile), Rlimit { current: raised, maximum: raised });
    }
}
