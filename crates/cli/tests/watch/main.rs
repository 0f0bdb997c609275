//! `staysail watch` as a program meets it: each sentence of `docs/spec/watch.md`, and ten thousand random operations.

#![cfg(unix)]

mod command;
mod events;
mod process;
mod random;
mod rules;
mod view;

/// Each sentence of the specification has a test, and no test proves a sentence that is gone.
#[test]
fn every_sentence_of_the_specification_is_proven_by_a_test() {
    use std::collections::BTreeSet;
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(here.join("../../docs/spec/watch.md")).unwrap();
    let number = |text: &str| -> Option<u32> {
        text.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok()
    };
    let said: BTreeSet<u32> =
        text.lines().filter_map(|line| number(line.trim_start().strip_prefix("- **W")?)).collect();
    let mut proven = BTreeSet::new();
    for folder in ["tests/watch", "../watch/tests", "../watch/src"] {
        for file in std::fs::read_dir(here.join(folder)).unwrap() {
            // Folders hold no tests.
            let Ok(source) = std::fs::read_to_string(file.unwrap().path()) else { continue };
            proven.extend(source.lines().filter_map(|line| number(line.trim_start().strip_prefix("fn w")?)));
        }
    }
    assert_eq!(said, proven);
    assert!(said.len() > 50, "{said:?}");
}
