//! Saves that the page's compiler misses while it compiles for the first time.
//!
//! `tsc --watch` of TypeScript 7.0 reads all sources, compiles, and only then begins to hear of changes. What was saved in
//! between shows nowhere until that file is saved once more. So when it says that it watches, the sources are looked at: one
//! that is younger than the compiler's start may have been missed, and the compiler is started again. What is younger then, too,
//! is written by the start itself: no other is made for it.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What `tsc` says each time it has compiled everything.
const WATCHES: &str = "Watching for file changes";
/// Sources of `tsc`.
const ENDINGS: [&str; 4] = ["ts", "tsx", "mts", "cts"];

/// Whether the compiler says that it has compiled and watches.
pub fn watches(line: &str) -> bool {
    line.contains(WATCHES)
}

/// The sources in `folder` that were saved at or after `since`. What the compiler writes to `served`, packages, and what git
/// ignores, are none.
pub fn sources(folder: &Path, served: &Path, since: SystemTime) -> Vec<PathBuf> {
    let served = served.to_path_buf();
    let walk = ignore::WalkBuilder::new(folder)
        .require_git(false)
        .filter_entry(move |entry| entry.file_name() != "node_modules" && entry.path() != served)
        .build();
    // What can not be read is no source that `tsc` could read.
    let files = walk.flatten().map(ignore::DirEntry::into_path);
    let is_source = |file: &PathBuf| {
        ENDINGS.iter().any(|ending| file.extension().is_some_and(|own| own == *ending))
            && std::fs::metadata(file)
                .and_then(|metadata| metadata.modified())
                .is_ok_and(|saved| saved >= since)
    };
    files.filter(is_source).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{File, create_dir_all};
    use std::time::Duration;

    #[test]
    fn only_sources_saved_since_the_start_were_missed() {
        let folder = tempfile::tempdir().unwrap();
        let (root, served) = (folder.path(), folder.path().join("public"));
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let save = |path: &str, before_s: u64| {
            let path = root.join(path);
            create_dir_all(path.parent().unwrap()).unwrap();
            File::create(&path).unwrap().set_modified(start - Duration::from_secs(before_s)).unwrap();
            path
        };
        save("src/old.ts", 1);
        for path in ["public/js/made.d.ts", "node_modules/other/index.ts", ".cache/kept.ts", "src/style.css"]
        {
            save(path, 0);
        }
        assert_eq!(sources(root, &served, start), Vec::<PathBuf>::new());
        let saved = save("src/deep/saved.tsx", 0);
        assert_eq!(sources(root, &served, start), [saved]);
        assert!(sources(&root.join("none"), &served, start).is_empty());
    }

    #[test]
    fn the_compilers_own_words_are_known_in_colour_too() {
        assert!(watches("\x1b[90m04:20:04 PM\x1b[0m - Found 0 errors. Watching for file changes."));
        assert!(watches("04:20:04 PM - Found 1 error. Watching for file changes."));
        assert!(!watches("04:20:04 PM - File change detected. Starting incremental compilation..."));
    }
}
