//! Files editors and tools write beside the one they save.

/// Whether this is such a file's name: backups, swap and lock files, and the new content before it takes its place.
pub fn own(name: &str) -> bool {
    const ENDS: [&str; 12] = [
        ".swp",
        ".swo",
        ".swx",
        ".swpx",
        ".tmp",
        ".temp",
        ".bak",
        ".kate-swp",
        "___jb_tmp___",
        "___jb_old___",
        ".crswap",
        ".crdownload",
    ];
    name.ends_with('~')
        // vim asks by this name whether it may write here.
        || name == "4913"
        || name.starts_with(".#")
        || name.starts_with(".goutputstream-")
        || (name.len() > 1 && name.starts_with('#') && name.ends_with('#'))
        || ENDS.iter().any(|end| name.ends_with(end))
        || is_numbered_temporary(name)
        || is_seds(name)
}

/// `app.js.tmp.4711.1234567` of Node's write-file-atomic, `app.js.tmp.4711`.
fn is_numbered_temporary(name: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|c| c.is_ascii_hexdigit());
    name.rsplit_once(".tmp.").is_some_and(|(_, end)| end.split('.').all(digits))
}

/// `sedAbC123` of `sed -i`.
fn is_seds(name: &str) -> bool {
    let rest = name.strip_prefix("sed").filter(|rest| rest.len() == 6);
    // A word is no such name: its letters are chosen at random, so a capital or a digit is nearly always among them.
    rest.is_some_and(|rest| {
        rest.bytes().all(|c| c.is_ascii_alphanumeric()) && rest.bytes().any(|c| !c.is_ascii_lowercase())
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_editors_leave_is_told_from_what_people_name_their_files() {
        for name in [
            "a.rs~",
            "4913",
            ".#a.rs",
            "#a.rs#",
            ".a.rs.swp",
            "a.rs___jb_tmp___",
            ".goutputstream-1F4",
            "a.js.tmp.4711.1700000000",
            "sedAbC1x2",
        ] {
            assert!(super::own(name), "{name}");
        }
        for name in ["a.rs", "#", "4914", "tmp", "swp", "a.tmp.rs", "sedation", "sediment", "a.template"] {
            assert!(!super::own(name), "{name}");
        }
    }
}
