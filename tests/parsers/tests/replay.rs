//! Every seed through its target, without a fuzzer: what was found once stays found, and no target rots.

use std::path::{Path, PathBuf};

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn every_seed_holds_and_each_target_takes_some_of_its_own() {
    for (name, target) in staysail_parsers::TARGETS {
        let seeds = files(&fuzz().join("seeds").join(name));
        let mut taken = 0;
        for seed in &seeds {
            let bytes = std::fs::read(seed).unwrap();
            let outcome = std::panic::catch_unwind(|| target(&bytes));
            taken += usize::from(
                outcome.unwrap_or_else(|_| panic!("{} does not hold, see above", seed.display())),
            );
        }
        assert!(taken > 0, "{name} takes none of its {} seeds: make them anew (fuzz/README.md)", seeds.len());
    }
}

#[test]
fn every_seed_cut_short_or_with_a_byte_changed_holds() {
    for (name, target) in staysail_parsers::TARGETS {
        for seed in files(&fuzz().join("seeds").join(name)) {
            let bytes = std::fs::read(&seed).unwrap();
            let step = bytes.len() / 24 + 1;
            for at in (0..bytes.len()).step_by(step) {
                let mut changed = bytes.clone();
                changed[at] = changed[at].wrapping_add(0x5b);
                for bytes in [&bytes[..at], &changed] {
                    let outcome = std::panic::catch_unwind(|| target(bytes));
                    assert!(outcome.is_ok(), "{name}: {} changed at {at}: {bytes:?}", seed.display());
                }
            }
        }
    }
}

#[test]
fn each_target_has_its_program_and_there_is_no_other() {
    let manifest = std::fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    let mut programs: Vec<String> = files(&fuzz().join("fuzz_targets"))
        .iter()
        .map(|file| file.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    let mut targets: Vec<&str> = staysail_parsers::TARGETS.iter().map(|(name, _)| *name).collect();
    targets.sort_unstable();
    programs.sort_unstable();
    assert_eq!(programs, targets);
    for name in targets {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "fuzz/Cargo.toml does not build {name}");
    }
}
