//! `staysail init` at a terminal: what it asks, answers typed and chosen, and Ctrl-C at every question.

#![cfg(unix)]

#[path = "support/terminal.rs"]
mod terminal;

use std::path::Path;
use std::process::Command;
use terminal::Terminal;

const ENTER: &str = "\r";
const DOWN: &str = "\x1b[B";
const UP: &str = "\x1b[A";
const CTRL_C: &str = "\x03";

/// The questions, in order, when the name is `notes`, and what is offered.
const NAME: &str = "Name of the project: ";
const TITLE: &str = "Title [Notes]: ";
const ID: &str = "Identifier [com.example.notes]: ";
const PAGE: &str = "The page is made with";
const LANGUAGE: &str = "Language of the page";

fn init(folder: &Path) -> Terminal {
    let mut command = Command::new(env!("CARGO_BIN_EXE_staysail"));
    command.arg("init").current_dir(folder).env("NO_COLOR", "1");
    Terminal::start(command)
}

/// Types a line as people do, one key after the other.
fn answer(terminal: &mut Terminal, question: &str, line: &str) {
    terminal.until(question);
    for key in line.chars().map(String::from) {
        terminal.press_when_asked(&key);
        terminal.until(&key);
    }
    terminal.press_when_asked(ENTER);
}

/// Chooses in a list: each key moves the mark to the line that begins so.
fn choose(terminal: &mut Terminal, question: &str, first: &str, moves: &[(&str, &str)]) {
    terminal.until(question);
    terminal.until(&format!("> {first}"));
    for (key, line) in moves {
        terminal.press_when_asked(key);
        terminal.until(&format!("> {line}"));
    }
    terminal.press_when_asked(ENTER);
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn what_is_typed_and_chosen_becomes_the_project() {
    let folder = tempfile::tempdir().unwrap();
    let mut terminal = init(folder.path());
    answer(&mut terminal, NAME, "notes");
    answer(&mut terminal, TITLE, "QwertZ");
    answer(&mut terminal, ID, "dev.ships");
    choose(&mut terminal, PAGE, "Vanilla", &[(DOWN, "Vite")]);
    choose(&mut terminal, LANGUAGE, "JavaScript", &[(DOWN, "TypeScript")]);
    terminal.until("made QwertZ in notes");
    terminal.until("staysail dev");
    assert!(terminal.ended().success());
    assert_eq!(terminal.settings(), terminal.before);
    let project = folder.path().join("notes");
    let settings = read(&project.join("staysail.toml"));
    assert!(settings.contains("name = \"QwertZ\"") && settings.contains("id = \"dev.ships\""), "{settings}");
    let manifest = read(&project.join("frontend/package.json"));
    assert!(manifest.contains("\"vite\"") && manifest.contains("\"typescript\""), "{manifest}");
}

#[test]
fn enter_alone_takes_what_is_offered_and_arrows_go_round() {
    let folder = tempfile::tempdir().unwrap();
    let mut terminal = init(folder.path());
    answer(&mut terminal, NAME, "notes");
    answer(&mut terminal, TITLE, "");
    answer(&mut terminal, ID, "");
    choose(&mut terminal, PAGE, "Vanilla", &[(DOWN, "Vite"), (UP, "Vanilla")]);
    choose(&mut terminal, LANGUAGE, "JavaScript", &[(UP, "TypeScript"), (UP, "JavaScript")]);
    terminal.until("made Notes in notes");
    assert!(terminal.ended().success());
    let settings = read(&folder.path().join("notes/staysail.toml"));
    assert!(
        settings.contains("name = \"Notes\"") && settings.contains("id = \"com.example.notes\""),
        "{settings}"
    );
    let with_packages = folder.path().join("notes/frontend/package.json").exists();
    assert!(!with_packages, "not the page without a bundler, in JavaScript");
}

#[test]
fn an_answer_that_will_not_do_is_asked_for_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut terminal = init(folder.path());
    answer(&mut terminal, NAME, "X");
    terminal.until("\"X\" is no name for a project: small letters");
    terminal.until(NAME);
    terminal.press_when_asked("\x7f");
    terminal.press_when_asked("n");
    terminal.press_when_asked(ENTER);
    answer(&mut terminal, "Title [N]: ", "");
    answer(&mut terminal, "Identifier [com.example.n]: ", "ships");
    terminal.until("is no reverse domain");
    terminal.press_when_asked(CTRL_C);
    assert!(!terminal.ended().success());
}

#[test]
fn ctrl_c_at_any_question_leaves_nothing_behind_and_the_terminal_as_it_was() {
    let questions: [fn(&mut Terminal); 5] = [
        |terminal| answer(terminal, NAME, "notes"),
        |terminal| answer(terminal, TITLE, ""),
        |terminal| answer(terminal, ID, ""),
        |terminal| choose(terminal, PAGE, "Vanilla", &[]),
        |terminal| choose(terminal, LANGUAGE, "JavaScript", &[]),
    ];
    let asked = [NAME, TITLE, ID, PAGE, LANGUAGE];
    for (answered, question) in asked.iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let mut terminal = init(folder.path());
        questions[..answered].iter().for_each(|answer| answer(&mut terminal));
        terminal.until(question);
        terminal.press_when_asked(CTRL_C);
        assert_eq!(terminal.ended().code(), Some(130), "at {question}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "at {question}");
        assert_eq!(terminal.settings(), terminal.before, "at {question}");
        assert!(terminal.shows_cursor(), "the cursor stays hidden at {question}");
        assert!(!terminal.seen.contains("error"), "at {question}: {}", terminal.seen);
    }
}
