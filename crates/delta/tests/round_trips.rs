//! Patches of made-up executables and of garbage: they lead to the new file, and damaged ones to an error at worst.

mod programs;

use programs::{Container, Machine, Program, Random};

const CONTAINERS: [Container; 3] = [Container::Elf, Container::Pe, Container::MachO];
use staysail_delta::{Error, SECTION_BYTES, UNKNOWN_FILE_BYTES_MAX, apply, diff};

fn patch(old: &[u8], new: &[u8]) -> Vec<u8> {
    let patch = diff(old, new).unwrap().expect("small files are always compared");
    assert!(apply(old, &patch, new.len() as u64).unwrap() == new, "another file than the new one came out");
    patch
}

#[test]
fn programs_that_grew_in_the_middle_need_far_less_than_their_moved_addresses() {
    for machine in [Machine::X86, Machine::Arm64] {
        for (container, seed) in CONTAINERS.into_iter().zip(1..) {
            let mut random = Random(seed);
            let mut program = Program::new(machine, &mut random, 400);
            let old = program.file(container);
            program.insert(200, &mut random);
            let new = program.file(container);
            let moved = old.iter().zip(&new).filter(|(old, new)| old != new).count();
            let patch = patch(&old, &new);
            assert!(patch.len() * 12 < moved, "{machine:?} {container:?}: {} bytes for {moved}", patch.len());
        }
    }
}

#[test]
fn whatever_the_files_are_a_patch_leads_from_one_to_the_other() {
    let mut random = Random(9);
    let machines = [Machine::X86, Machine::Arm64];
    for (machine, container) in machines.into_iter().flat_map(|machine| CONTAINERS.map(|one| (machine, one)))
    {
        let mut program = Program::new(machine, &mut random, 30);
        let one = program.file(container);
        program.insert(3, &mut random);
        let other = program.file(container);
        let garbage = random.bytes(5_000);
        let cut = &one[..one.len() / 2];
        let mut bent = |end: usize| {
            let mut bent = one.clone();
            for _ in 0..60 {
                let at = random.below(end);
                bent[at] = random.below(256) as u8;
            }
            bent
        };
        let (bent, headers) = (bent(one.len()), bent(0x200));
        let all = [&one[..], &other, &garbage, cut, &bent, &headers, b"", b"x", &one[..64]];
        for old in all {
            for new in all {
                patch(old, new);
            }
        }
    }
}

#[test]
fn files_of_several_sections_are_made_in_each_of_them() {
    let mut random = Random(7);
    let old = random.bytes(3 * SECTION_BYTES + 1_000);
    let mut new = old.clone();
    new.splice(SECTION_BYTES - 50..SECTION_BYTES + 50, random.bytes(2 * SECTION_BYTES));
    new.splice(10..10, *b"in front");
    let patch = patch(&old, &new);
    assert!(patch.len() < 2 * SECTION_BYTES + 1_000, "{}", patch.len());
    self::patch(&new, &old);
    self::patch(&old, &old[..2 * SECTION_BYTES]);
}

#[test]
fn an_edited_text_needs_little_more_than_the_edit() {
    let old = (0..2_000).map(|line| format!("line {line} of a page\n")).collect::<String>().into_bytes();
    let mut new = old.clone();
    new.splice(20_000..20_010, *b"something else");
    let patch = patch(&old, &new);
    assert!(patch.len() < 100, "{}", patch.len());
}

#[test]
fn a_patch_with_any_byte_changed_is_an_error_or_leads_to_some_file_of_that_size() {
    let mut random = Random(5);
    let mut program = Program::new(Machine::X86, &mut random, 30);
    let old = program.file(Container::Elf);
    program.insert(10, &mut random);
    let new = program.file(Container::Elf);
    let good = patch(&old, &new);
    let mut refused = 0;
    for at in 0..good.len() {
        for bit in [0x01, 0x80] {
            let mut bad = good.clone();
            bad[at] ^= bit;
            match apply(&old, &bad, new.len() as u64) {
                Ok(file) => assert_eq!(file.len(), new.len()),
                Err(Error::Damaged(_)) => refused += 1,
                Err(error) => panic!("{error}"),
            }
        }
        assert!(apply(&old, &good[..at], new.len() as u64).is_err(), "cut at {at}");
    }
    assert!(refused > good.len() / 2, "{refused} of {}", 2 * good.len());
}

#[test]
fn a_patch_is_refused_for_another_size_of_either_file() {
    let (old, new) = (b"the old one".as_slice(), b"the new one, longer".as_slice());
    let patch = patch(old, new);
    for (old, size) in [(&old[1..], 19), (old, 18), (old, 20), (old, 0), (old, u64::MAX)] {
        assert!(apply(old, &patch, size).is_err());
    }
}

#[test]
fn bytes_that_are_no_patch_are_refused() {
    let mut random = Random(3);
    for length in [0, 1, 4, 10, 300] {
        let mut bytes = random.bytes(length);
        assert!(apply(b"old", &bytes, 3).is_err());
        bytes.splice(..0, *b"SSD3");
        assert!(apply(b"old", &bytes, 3).is_err());
    }
}

#[test]
fn files_that_would_take_too_long_to_compare_get_no_patch() {
    // Long runs, each byte of which begins a match of nearly the whole run: work that grows with the square.
    let run = |byte: u8, seed: u8| {
        let mut run = vec![byte; 400_000];
        run.iter_mut().skip(usize::from(seed)).step_by(20_000).for_each(|at| *at = seed);
        run
    };
    let (old, new) = ([run(0, 1), run(0, 2)].concat(), [run(0, 3), run(0, 4)].concat());
    assert!(diff(&old, &new).unwrap().is_none());
}

#[test]
fn large_files_without_code_get_no_patch() {
    let mut bytes = Random(1).bytes(UNKNOWN_FILE_BYTES_MAX);
    let mut more = bytes.clone();
    more.push(1);
    assert!(diff(&bytes, &more).unwrap().is_none());
    bytes.truncate(100_000);
    assert!(diff(&bytes, &more[..100_001]).unwrap().is_some());
}

/// The seeds of the fuzz target: sizes (2 bytes each) of new and old file, the old file, the patch. Apps of a version made
/// earlier apply patches made now, and the reverse: when this fails the format has changed and needs another name.
#[test]
fn patches_made_earlier_still_lead_to_their_files() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/delta");
    for (name, machine, container) in [
        ("code-elf-x86", Machine::X86, Container::Elf),
        ("code-pe-x86", Machine::X86, Container::Pe),
        ("code-macho-arm64", Machine::Arm64, Container::MachO),
    ] {
        let mut random = Random(1);
        let mut program = Program::new(machine, &mut random, 4);
        let old = program.file(container);
        program.insert(1, &mut random);
        let new = program.file(container);
        let seed = std::fs::read(folder.join(name)).unwrap();
        let patch = seed[4..].strip_prefix(&old[..]).expect("the seed holds the same old file");
        assert!(apply(&old, patch, new.len() as u64).unwrap() == new, "{name}");
    }
}
