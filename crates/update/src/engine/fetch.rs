//! Getting bytes from a repository: bounded, in time, resumed.

/// An error with all its causes: reqwest's own text stops at "error sending request".
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    text
}
