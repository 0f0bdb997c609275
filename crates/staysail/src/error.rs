//! Why an app can not run.

/// What `main` returns.
pub type Result<T = ()> = std::result::Result<T, Error>;

/// Why an app can not run. Shown to whoever started it.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Started by hand.
    #[error(
        "this is the backend of a Staysail app, it has no window of its own; start the app with `staysail dev`, \
         or build it with `staysail build`"
    )]
    NoShell,
    /// Two commands, states or windows of one name, or a command that needs what was never given.
    #[error("{0}")]
    Declaration(String),
    /// The connection to the shell.
    #[error("the connection to the shell failed: {0}")]
    Connection(#[from] std::io::Error),
    /// An error of the app's own set-up.
    #[error("{0}")]
    Setup(String),
}

/// As for people: Rust prints the error a `main` returns in this form.
impl std::fmt::Debug for Error {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, formatter)
    }
}
