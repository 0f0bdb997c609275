//! Starts of another shell, written down and judged.

use super::*;
use crate::hash;

const SHELL: &[u8] = b"another shell";

struct Lab {
    folder: tempfile::TempDir,
    shell: NewerShell,
}

impl Lab {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let shell = NewerShell { sha256: hash::of(SHELL), path: folder.path().join("x"), version: None };
        Self { folder, shell }
    }

    fn store(&self) -> Store {
        Store::open(&self.folder.path().join("store")).unwrap()
    }

    /// Begins a start as the installed executable does, when of earlier ones only `alive` are left.
    fn begin(&self, now_s: u64, process: u32, alive: &[u32]) -> Option<ShellStart> {
        self.store().begin_shell(&self.shell, now_s, process, &|process| alive.contains(&process))
    }

    /// The shell itself, as it finds its start.
    fn runs(&self, begun: &ShellStart) -> ShellStart {
        self.store().resume_shell(&begun.name()).unwrap()
    }

    fn is_banned(&self) -> bool {
        self.store().is_banned(&self.shell.sha256)
    }
}

#[test]
fn a_shell_that_ends_at_every_start_is_banned_by_its_hash_after_three_of_them() {
    let lab = Lab::new();
    for process in 1..=3 {
        assert!(lab.begin(100, process, &[]).is_some(), "{process}");
    }
    assert!(!lab.is_banned());
    assert!(lab.begin(100, 4, &[]).is_none());
    assert!(lab.is_banned());
    assert!(lab.store().ban_reason(&lab.shell.sha256).unwrap().contains("3 times"));
}

#[test]
fn a_start_that_goes_well_forgets_those_that_were_killed() {
    let lab = Lab::new();
    for process in 1..=2 {
        lab.begin(100, process, &[]).unwrap();
    }
    let begun = lab.begin(100, 3, &[]).unwrap();
    let module = lab.runs(&begun);
    assert!(!module.is_proven());
    assert_eq!(begun.left(), Left::NotShown);
    module.is_up();
    assert_eq!(begun.left(), Left::Shown);
    // A crash within the probation would count: nothing is forgotten before.
    assert_eq!(std::fs::read_dir(module.folder()).unwrap().count(), 4);
    module.is_good();
    assert_eq!(begun.left(), Left::InOrder);
    for process in 4..=6 {
        assert!(lab.begin(100, process, &[]).unwrap().is_proven());
    }
    assert!(lab.begin(100, 7, &[]).is_none(), "one that worked once may fail no more often");
}

#[test]
fn a_start_that_ends_in_order_does_not_count_and_forgets_no_others() {
    let lab = Lab::new();
    for process in 1..=2 {
        lab.begin(100, process, &[]).unwrap();
    }
    for process in 3..=6 {
        // A second start, say, that is handed over to the first.
        let module = lab.runs(&lab.begin(100, process, &[]).unwrap());
        module.is_good();
        module.ended();
    }
    lab.begin(100, 7, &[]).unwrap();
    assert!(lab.begin(100, 8, &[]).is_none());
}

#[test]
fn starts_under_way_count_only_when_they_take_too_long() {
    let lab = Lab::new();
    let alive = [1, 2, 3, 4];
    for process in alive {
        assert!(lab.begin(100, process, &alive).is_some());
    }
    assert!(lab.begin(100 + SHELL_START_TIMEOUT_S, 5, &alive).is_some());
    assert!(!lab.is_banned());
    assert!(lab.begin(101 + SHELL_START_TIMEOUT_S, 6, &[1, 2, 3, 4, 5]).is_none());
    assert!(lab.is_banned());
}

#[test]
fn starts_that_have_shown_the_app_and_live_never_count() {
    let lab = Lab::new();
    let alive = [1, 2, 3];
    for process in alive {
        lab.runs(&lab.begin(100, process, &alive).unwrap()).is_up();
    }
    assert!(lab.begin(101 + SHELL_START_TIMEOUT_S, 4, &alive).is_some());
    assert!(lab.begin(101 + SHELL_START_TIMEOUT_S, 5, &[]).is_none(), "they crashed");
}

#[test]
fn one_that_does_not_get_to_run_counts_though_the_process_that_tried_lives_on() {
    let lab = Lab::new();
    for process in 1..=3 {
        lab.begin(100, process, &[1, 2, 3]).unwrap().failed("no such interpreter");
    }
    assert!(lab.begin(100, 4, &[1, 2, 3]).is_none());
    assert!(lab.is_banned());
}

#[test]
fn a_release_that_ran_before_is_not_blamed_for_a_shell_that_never_worked() {
    let lab = Lab::new();
    for process in 1..=3 {
        let module = lab.runs(&lab.begin(100, process, &[1, 2, 3]).unwrap());
        assert!(module.blame("the page does not come up") && module.blame("nor does the older one"));
        // An older release comes up all the same: that does not make it a good start.
        module.is_up();
        module.is_good();
        module.ended();
        assert!(!lab.is_banned());
    }
    assert!(lab.begin(100, 4, &[1, 2, 3]).is_none());
    assert!(lab.is_banned());
    // But one that has worked is not to blame.
    let lab = Lab::new();
    let begun = lab.begin(100, 1, &[]).unwrap();
    lab.runs(&begun).is_up();
    assert!(!lab.runs(&begun).blame("the page does not come up"));
    assert!(!lab.is_banned());
}

#[test]
fn without_a_place_to_write_the_start_down_there_is_none() {
    let lab = Lab::new();
    std::fs::create_dir_all(lab.store().folder()).unwrap();
    std::fs::write(lab.store().folder().join(FOLDER), "in the way").unwrap();
    assert!(lab.begin(100, 1, &[]).is_none());
    assert!(!lab.is_banned());
}

#[test]
fn a_start_whose_name_would_lead_elsewhere_is_none() {
    let lab = Lab::new();
    for name in ["", "x", "../x/1-2", "x/../1", "x/1/2", "x/."] {
        assert!(lab.store().resume_shell(name).is_none(), "{name}");
    }
}

#[test]
fn marks_of_shells_no_release_carries_are_removed() {
    let lab = Lab::new();
    let folder = lab.begin(100, 1, &[]).unwrap().folder();
    lab.store().forget_shells(BTreeSet::from([lab.shell.sha256.clone()])).unwrap();
    assert!(folder.exists());
    lab.store().forget_shells(BTreeSet::new()).unwrap();
    assert!(!folder.exists());
}
