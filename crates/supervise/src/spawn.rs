//! What to start and how: the builder of a [`Tree`].

use crate::{Error, Tree};
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{Command, Stdio};

/// A program about to be started. Standard input is empty unless set; output is inherited unless set.
///
/// ```
/// # #[cfg(unix)] {
/// use staysail_supervise::Spawn;
/// use std::process::Stdio;
/// let tree = Spawn::new("sh").arg("-c").arg("sleep 100 & wait").stdout(Stdio::null()).spawn().unwrap();
/// tree.kill();
/// assert!(!tree.wait().unwrap().success());
/// # }
/// ```
#[derive(Debug)]
pub struct Spawn {
    pub(crate) command: Command,
    pub(crate) program: OsString,
    pub(crate) guarded: bool,
    pub(crate) streams: Streams,
    #[cfg(unix)]
    pub(crate) inherited: Vec<std::os::fd::RawFd>,
}

/// Kept apart from the command because a guardian's command needs them, and `Command` does not give them back.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    pub(crate) stdin: Option<Stdio>,
    pub(crate) stdout: Option<Stdio>,
    pub(crate) stderr: Option<Stdio>,
}

impl Streams {
    /// Sets them on the command; standard input is empty unless chosen.
    pub(crate) fn apply(self, command: &mut Command) {
        command.stdin(self.stdin.unwrap_or_else(Stdio::null));
        if let Some(stdout) = self.stdout {
            command.stdout(stdout);
        }
        if let Some(stderr) = self.stderr {
            command.stderr(stderr);
        }
    }
}

impl Spawn {
    /// The program, by path or by name on the search path.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let program = program.as_ref();
        Self {
            command: Command::new(program),
            program: program.to_owned(),
            guarded: false,
            streams: Streams::default(),
            #[cfg(unix)]
            inherited: Vec::new(),
        }
    }

    /// Adds an argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// Adds arguments.
    pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.command.args(arguments);
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Takes an environment variable away.
    pub fn env_remove(mut self, name: impl AsRef<OsStr>) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Starts it in this folder.
    pub fn current_dir(mut self, folder: impl AsRef<Path>) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Hands an open descriptor on, under the same number. It stays open here, too.
    #[cfg(unix)]
    pub fn inherit(mut self, descriptor: std::os::fd::RawFd) -> Self {
        self.inherited.push(descriptor);
        self
    }

    /// Where its standard input comes from.
    pub fn stdin(mut self, stdio: impl Into<Stdio>) -> Self {
        self.streams.stdin = Some(stdio.into());
        self
    }

    /// Where its standard output goes.
    pub fn stdout(mut self, stdio: impl Into<Stdio>) -> Self {
        self.streams.stdout = Some(stdio.into());
        self
    }

    /// Where its standard error goes.
    pub fn stderr(mut self, stdio: impl Into<Stdio>) -> Self {
        self.streams.stderr = Some(stdio.into());
        self
    }

    /// Puts a guardian between, so that programs started by this program end with us as well. See the crate's header.
    pub fn guarded(mut self, guarded: bool) -> Self {
        self.guarded = guarded;
        self
    }

    /// Starts it.
    ///
    /// # Errors
    /// When the program does not exist or the system refuses; nothing runs then.
    pub fn spawn(self) -> Result<Tree, Error> {
        crate::platform::spawn(self)
    }
}
