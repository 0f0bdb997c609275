//! Versions to stay at: one version (`1.4.2`), or all that begin alike (`1.4.x`, `1.x`).

/// Whether this is a version to stay at.
///
/// ```
/// use staysail_update::policy::pin::is_pin;
/// assert!(is_pin("1.4.2") && is_pin("1.4.x") && is_pin("1.4") && is_pin("2.0.0-beta.1"));
/// assert!(!is_pin("") && !is_pin("x") && !is_pin("1.x.2") && !is_pin("^1.4") && !is_pin("latest"));
/// ```
pub fn is_pin(text: &str) -> bool {
    semver::Version::parse(text).is_ok() || beginning(text).is_some()
}

/// Whether a version is one that is stayed at. What is no semantic version is none.
///
/// ```
/// use staysail_update::policy::pin::fits;
/// assert!(fits("1.4.2", "1.4.2") && fits("1.4.x", "1.4.9") && fits("1", "1.9.0"));
/// assert!(!fits("1.4.2", "1.4.3") && !fits("1.4.x", "1.40.0") && !fits("1.4.2", "1.4.2-beta.1"));
/// ```
pub fn fits(pin: &str, version: &str) -> bool {
    let Ok(version) = semver::Version::parse(version) else { return false };
    match semver::Version::parse(pin) {
        Ok(only) => only.cmp_precedence(&version).is_eq(),
        Err(_) => beginning(pin).is_some_and(|numbers| {
            let numbers_of = [version.major, version.minor, version.patch];
            numbers_of.starts_with(&numbers)
        }),
    }
}

/// The numbers all versions begin with: one or two, followed by nothing but `x`.
fn beginning(text: &str) -> Option<Vec<u64>> {
    let mut numbers = Vec::new();
    let mut open = false;
    for piece in text.split('.') {
        match piece {
            "x" => open = true,
            _ if open || !piece.bytes().all(|byte| byte.is_ascii_digit()) => return None,
            _ => numbers.push(piece.parse().ok()?),
        }
    }
    let pieces = text.split('.').count();
    (matches!(numbers.len(), 1 | 2) && pieces <= 3).then_some(numbers)
}
