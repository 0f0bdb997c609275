//! Saves that the page's compiler misses while it compiles for the first time.
//!
//! `tsc --watch` of TypeScript 7.0 reads all sources, compiles, and only then begins to hear of changes. What was saved in
//! between shows nowhere until that file is saved once more. So when it says that it watches, the sources are looked at: when one
//! is younger than the compiler's start, the compiler is started again. Some commands write sources themselves whenever they
//! start, so that is done once for each content of a file, and at most [`IN_A_ROW_MAX`] times in a row.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What `tsc` says each time it has compiled everything.
const WATCHES: &str = "Watching for file changes";
/// Sources of `tsc`.
const ENDINGS: [&[u8]; 4] = [b".ts", b".tsx", b".mts", b".cts"];
/// Starts for what was missed, one after the other, before it is left at that.
const IN_A_ROW_MAX: u32 = 5;

/// Whether the compiler says that it has compiled and watches.
pub fn watches(line: &str) -> bool {
    line.contains(WATCHES)
}

/// Sources for which a compiler was started again.
#[derive(Default)]
pub struct Missed {
    /// Each with the hash of what was in it.
    seen: BTreeSet<(PathBuf, u64)>,
    /// Starts that missed something, one after the other.
    in_a_row: u32,
}

impl Missed {
    /// One of these that may have been missed as it is now; `None` when there is nothing to be started again for.
    pub fn find(&mut self, sources: impl IntoIterator<Item = PathBuf>) -> Option<PathBuf> {
        let mut is_new = |file: &PathBuf| {
            // What can not be read, `tsc` can not read either.
            let Ok(content) = std::fs::read(file) else { return false };
            let mut hasher = DefaultHasher::new();
            content.hash(&mut hasher);
            self.seen.insert((file.clone(), hasher.finish()))
        };
        let found = sources.into_iter().filter(|file| is_new(file)).last();
        self.in_a_row = if found.is_some() { self.in_a_row + 1 } else { 0 };
        found.filter(|_| self.in_a_row <= IN_A_ROW_MAX)
    }
}

/// The sources in `folder` that were saved at or after `since`: `types`, which git ignores, and all that it does not, but for
/// declarations that the compiler itself writes to `served`.
pub fn sources(folder: &Path, served: &Path, types: &Path, since: SystemTime) -> Vec<PathBuf> {
    let walk = ignore::WalkBuilder::new(folder)
        .require_git(false)
        .filter_entry(|entry| entry.file_name() != "node_modules")
        .build();
    let files = walk.flatten().map(ignore::DirEntry::into_path).filter(|file| {
        let name = file.file_name().unwrap_or_default().as_encoded_bytes();
        ENDINGS.iter().any(|ending| name.ends_with(ending))
            && !(name.ends_with(b".d.ts") && file.starts_with(served))
    });
    let is_young = |file: &PathBuf| {
        std::fs::metadata(file).and_then(|metadata| metadata.modified()).is_ok_and(|saved| saved >= since)
    };
    std::iter::once(types.to_path_buf()).chain(files.filter(|file| file != types)).filter(is_young).collect()
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
        let types = root.join("src/staysail.d.ts");
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let save = |path: &str, before_s: u64| {
            let path = root.join(path);
            create_dir_all(path.parent().unwrap()).unwrap();
            File::create(&path).unwrap().set_modified(start - Duration::from_secs(before_s)).unwrap();
            path
        };
        save("src/old.ts", 1);
        std::fs::write(root.join(".gitignore"), "build\nstaysail.d.ts\n").unwrap();
        for path in
            ["public/js/made.d.ts", "node_modules/a/index.ts", ".cache/b.ts", "build/c.ts", "src/style.css"]
        {
            save(path, 0);
        }
        assert_eq!(sources(root, &served, &types, start), Vec::<PathBuf>::new());
        let saved = save("src/deep/saved.tsx", 0);
        assert_eq!(sources(root, &served, &types, start), std::slice::from_ref(&saved));
        save("src/staysail.d.ts", 0);
        assert_eq!(sources(root, &served, &types, start), [types.clone(), saved.clone()]);
        // Where everything is shipped from the folder of the sources.
        assert_eq!(sources(&root.join("src"), root, &types, start), [types.clone(), saved]);
        assert!(sources(&root.join("none"), &served, &root.join("none"), start).is_empty());
    }

    #[test]
    fn a_content_is_missed_once_and_a_start_that_always_writes_another_ends_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("words.ts");
        let mut missed = Missed::default();
        let mut find = |text: &str| {
            std::fs::write(&file, text).unwrap();
            missed.find([file.clone()]).is_some()
        };
        assert!(find("first") && !find("first"));
        assert!(find("saved again by its user"));
        let starts = (0..20).take_while(|date| find(&date.to_string())).count();
        assert!(starts < 10, "{starts} starts");
        assert!(!find("first") && find("later"), "it never hears again");
        assert_eq!(missed.find([folder.path().join("none.ts")]), None);
    }

    #[test]
    fn the_compilers_own_words_are_known_in_colour_too() {
        assert!(watches("\x1b[90m04:20:04 PM\x1b[0m - Found 0 errors. Watching for file changes."));
        assert!(watches("04:20:04 PM - Found 1 error. Watching for file changes."));
        assert!(!watches("04:20:04 PM - File change detected. Starting incremental compilation..."));
    }
}
