//! Named moments of an update at which a test kills the process.
//!
//! Compiled where debug assertions are, and so never into what is shipped. `STAYSAIL_FAILPOINT` says which moment:
//!
//! | Value | What happens |
//! |---|---|
//! | `list` | each moment is named on standard error, in a line `failpoint NAME` |
//! | `NAME` | the process is killed at the first moment of this name |
//! | `NAME#3` | at the third one of this name |
//! | `#17` | at the seventeenth moment of all |
//!
//! Moments of the disk are named by the operation about to be done and its place in the store (`rename
//! releases/*/manifest.json`), so that whatever is written anew has a name by itself; `half` is a file half written. The
//! others are the effects of the life cycle, named in one match over all of them.

/// Names a moment; nothing at all in what is shipped.
macro_rules! failpoint {
    ($($name:tt)+) => {{
        #[cfg(debug_assertions)]
        $crate::failpoint::hit(&format!($($name)+));
    }};
}

#[cfg(debug_assertions)]
pub(crate) use moments::*;

#[cfg(debug_assertions)]
mod moments {
    use std::path::Path;
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    enum Asked {
        Nothing,
        List,
        /// A name, or any, and how many moments are left until then.
        Death(Option<String>, AtomicU64),
    }

    static ASKED: LazyLock<Asked> = LazyLock::new(|| {
        let Ok(asked) = std::env::var("STAYSAIL_FAILPOINT") else { return Asked::Nothing };
        if asked == "list" {
            return Asked::List;
        }
        let (name, number) = asked.split_once('#').unwrap_or((&asked, "1"));
        let name = (!name.is_empty()).then(|| name.to_owned());
        Asked::Death(name, AtomicU64::new(number.parse().unwrap_or(1)))
    });

    /// A moment has come.
    pub(crate) fn hit(name: &str) {
        if is_due(name) {
            die();
        }
    }

    /// Whether it is the moment at which the process is to be killed. Counts.
    pub(crate) fn is_due(name: &str) -> bool {
        match &*ASKED {
            Asked::Nothing => false,
            Asked::List => {
                eprintln!("failpoint {name}");
                false
            }
            Asked::Death(wanted, left) => {
                wanted.as_ref().is_none_or(|wanted| wanted == name)
                    && left.fetch_sub(1, Ordering::SeqCst) == 1
            }
        }
    }

    /// Ends the process as `kill -9` does: nothing is flushed, nothing is dropped.
    pub(crate) fn die() -> ! {
        #[cfg(unix)]
        {
            unsafe extern "C" {
                fn kill(process: i32, signal: i32) -> i32;
            }
            // SAFETY: a system call that takes two numbers and touches no memory of ours.
            unsafe { kill(std::process::id() as i32, 9) };
        }
        std::process::abort()
    }

    /// A path in the store by its meaning: without hashes, and temporary files by what they become.
    pub(crate) fn place(root: &Path, path: &Path) -> String {
        let Ok(below) = path.strip_prefix(root) else { return "outside".into() };
        let parts = below.iter().map(|part| {
            let name = part.to_string_lossy();
            let hash = name.len() >= 2 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
            // `.NAME.PROCESS-NUMBER.tmp`
            let becomes = || name.strip_prefix('.')?.strip_suffix(".tmp")?.rsplit_once('.');
            match becomes() {
                _ if hash => "*".into(),
                Some((name, _)) if name.bytes().all(|byte| byte.is_ascii_hexdigit()) => "*".into(),
                Some((name, _)) => name.to_owned(),
                None => name.into_owned(),
            }
        });
        let named = parts.collect::<Vec<_>>().join("/");
        if named.is_empty() { "store".into() } else { named }
    }
}

#[cfg(all(test, debug_assertions))]
mod tests {
    use super::*;
    use std::path::Path;
    use std::process::Command;

    #[test]
    fn places_are_named_without_what_differs_from_run_to_run() {
        let root = Path::new("/store");
        for (path, name) in [
            ("/store/state", "state"),
            ("/store/.state.copy.17-3.tmp", "state.copy"),
            ("/store/files/ab/abcd", "files/*/*"),
            ("/store/files/ab/.abcd.17-3.tmp", "files/*/*"),
            ("/store/backend/abcd/worker", "backend/*/worker"),
            ("/store", "store"),
            ("/tmp/x", "outside"),
        ] {
            assert_eq!(place(root, Path::new(path)), name);
        }
    }

    #[test]
    fn what_is_compiled_without_debug_assertions_knows_no_moment() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("shipped.rs");
        let module = concat!(env!("CARGO_MANIFEST_DIR"), "/src/failpoint.rs");
        let text = format!(
            "#[macro_use]\n#[path = {module:?}]\nmod failpoint;\n\
             pub fn update(place: &str) {{ failpoint!(\"moment {{place}}\") }}\n"
        );
        std::fs::write(&source, text).unwrap();
        for (assertions, known) in [("yes", true), ("no", false)] {
            let object = folder.path().join(format!("{assertions}.o"));
            let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or("rustc".into()));
            rustc.args(["--edition", "2024", "--crate-type", "lib", "--emit", "obj", "-C"]);
            rustc.arg(format!("debug-assertions={assertions}"));
            assert!(rustc.arg("-o").arg(&object).arg(&source).output().unwrap().status.success());
            let object = String::from_utf8_lossy(&std::fs::read(&object).unwrap()).into_owned();
            for word in ["STAYSAIL_FAILPOINT", "moment "] {
                assert_eq!(object.contains(word), known, "{word}, debug assertions: {assertions}");
            }
        }
    }
}
