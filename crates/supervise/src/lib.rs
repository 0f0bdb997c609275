//! Process trees that never outlive their owner.
//!
//! # Theory of operation
//! Every child leads a process group (Unix) or lives in a job object (Windows), so that "kill" means the whole
//! tree. What must also hold is that nothing survives *us*, however we end:
//!
//! - Linux, plain child: `PR_SET_PDEATHSIG` makes the kernel kill it when we die. That signal is tied to the
//!   *thread* that started the child, so all children are started by one thread that lives as long as the process.
//! - Unix, [`Spawn::guarded`] child: between us and the child stands a tiny guardian, this same executable started
//!   again with a hidden argument (see [`guardian_main`]). It adopts every orphan of the tree, holds one end of
//!   a socket whose other end is ours, and kills everything when that socket closes. Programs that start
//!   programs (dev servers, cargo) are guarded.
//! - Windows: the job object is closed by the system when we die, and takes everything along.
//!
//! A frozen child (`SIGSTOP`) is safe on Linux only, because `SIGKILL` ends stopped processes and the kernel
//! sends it; elsewhere [`Tree::freeze`] answers `false` and does nothing.
//!
//! **Invariant:** no asynchronous runtime, no logging and no knowledge of what the started programs do. A tree
//! that was started here is gone when its owner is gone.

mod spawn;

#[cfg(unix)]
mod unix;
#[cfg(unix)]
use unix as platform;
#[cfg(windows)]
mod windows;
#[cfg(windows)]
use windows as platform;

pub use platform::Tree;
pub use spawn::Spawn;

use std::path::PathBuf;

/// Why a program could not be started or ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such program.
    #[error("there is no program {}; is it installed, and on the search path?", .0.display())]
    NotFound(PathBuf),
    /// The program exists but did not start.
    #[error("{} could not be started: {source}", program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The guardian of a guarded tree did not come up.
    #[error(
        "the guardian process could not be started: {0}; without it {1} would survive a crash, so it was not started"
    )]
    Guardian(std::io::Error, String),
    /// [`guardian_main`] was never called by this program.
    #[error("a guarded process needs `staysail_supervise::guardian_main()` as the first statement of `main`")]
    NoGuardian,
    /// The state of the process could not be learned.
    #[error("waiting for process {0} failed: {1}")]
    Wait(u32, std::io::Error),
}

impl Error {
    pub(crate) fn spawn(program: &std::ffi::OsStr, source: std::io::Error) -> Self {
        match source.kind() {
            std::io::ErrorKind::NotFound => Self::NotFound(program.into()),
            _ => Self::Spawn { program: program.into(), source },
        }
    }
}

/// To be called first in `main` of every program that uses [`Spawn::guarded`]. Returns at once, unless this process
/// was started as a guardian; then it never returns.
pub fn guardian_main() {
    platform::guardian_main();
}
