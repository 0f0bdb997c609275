//! Questions on a terminal, and which template: named by flags, or chosen.

use super::Language;
use super::template::{self, Listed};
use anyhow::{Result, bail};
use dialoguer::Select;
use dialoguer::console::Term;
use std::io::ErrorKind;

/// From now on Ctrl-C gives the terminal back as it was: lists hide the cursor.
pub fn at_a_terminal() -> Result<()> {
    Ok(ctrlc::set_handler(|| leave())?)
}

fn leave() -> ! {
    let _ = Term::stderr().show_cursor();
    // What shells say of a program that Ctrl-C ended.
    std::process::exit(130)
}

/// The answer to a question.
pub fn answer<T>(asked: dialoguer::Result<T>) -> Result<T> {
    asked.map_err(|dialoguer::Error::IO(error)| match error.kind() {
        // Ctrl-C, read as a key.
        ErrorKind::Interrupted => leave(),
        _ => error.into(),
    })
}

/// The template's folder, from what was named and what is asked for.
pub fn template(named: Option<&str>, language: Option<Language>, ask: bool) -> Result<String> {
    let listed = template::list()?;
    if let Some(full) = named.filter(|named| listed.iter().any(|one| one.folder() == **named)) {
        if language.is_some_and(|language| !full.ends_with(language.suffix())) {
            bail!("--template {full} already says another language than --language; nothing was written.");
        }
        return Ok(full.to_owned());
    }
    let names = names(&listed);
    let name = match named {
        Some(name) if names.contains(&name) => name.to_owned(),
        Some(name) => bail!(
            "there is no template {name:?}; nothing was written.{}\n  Templates: {}. A folder of your own: ./{name}",
            closest(name, &names),
            names.join(", ")
        ),
        None if ask => {
            let items = names.iter().map(|name| line(&listed, name));
            let list = Select::new().with_prompt("The page is made with").items(items).default(0);
            let chosen = answer(list.interact())?;
            names[chosen].to_owned()
        }
        None => "vanilla".to_owned(),
    };
    let language = match language {
        Some(language) => language,
        None if ask => {
            let items = ["JavaScript", "TypeScript"];
            let list = Select::new().with_prompt("Language of the page").items(items).default(0);
            let chosen = answer(list.interact())?;
            if chosen == 1 { Language::Ts } else { Language::Js }
        }
        None => Language::Js,
    };
    Ok(format!("{name}{}", language.suffix()))
}

impl Language {
    fn suffix(self) -> &'static str {
        match self {
            Self::Js => "-js",
            Self::Ts => "-ts",
        }
    }
}

impl Listed {
    fn folder(&self) -> String {
        format!("{}-{}", self.name, self.language)
    }
}

fn names(listed: &[Listed]) -> Vec<&str> {
    let mut names: Vec<&str> = listed.iter().map(|one| one.name.as_str()).collect();
    names.dedup();
    names
}

fn line(listed: &[Listed], name: &str) -> String {
    let one = listed.iter().find(|one| one.name == name);
    one.map_or_else(String::new, |one| format!("{:<10} {}", one.template.title, one.template.summary))
}

fn closest(name: &str, names: &[&str]) -> String {
    let near = |known: &&&str| strsim::jaro_winkler(name, known) > 0.75;
    names.iter().find(near).map(|known| format!(" Did you mean {known:?}?")).unwrap_or_default()
}
