//! Names a project may have.

/// Names that mean something else to cargo, Rust or a file system.
const TAKEN: [&str; 52] = [
    "as", "async", "await", "break", "const", "continue", "crate", "dyn", "else", "enum", "extern", "false",
    "fn", "for", "if", "impl", "in", "let", "loop", "match", "mod", "move", "mut", "pub", "ref", "return",
    "self", "static", "struct", "super", "trait", "true", "type", "unsafe", "use", "where", "while",
    "abstract", "become", "box", "do", "final", "macro", "try", "test", "core", "std", "alloc", "staysail",
    "build", "target", "nul",
];
/// Longest name.
const LENGTH_MAX: usize = 64;
/// Longest title.
const TITLE_LENGTH_MAX: usize = 120;

/// Checks a project's name.
///
/// # Errors
/// What is wrong, and a name that would do.
pub fn check(name: &str) -> Result<(), String> {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
    let problem = if name.is_empty() {
        "a project needs a name".to_owned()
    } else if TAKEN.contains(&name) {
        format!("{name:?} is a word of Rust or cargo")
    } else if name.len() > LENGTH_MAX {
        format!("the name has {} characters; {LENGTH_MAX} is the limit", name.len())
    } else if !begins || !name.chars().all(good) {
        format!(
            "{name:?} is no name for a project: small letters, digits, `-` and `_`, beginning with a letter"
        )
    } else {
        return Ok(());
    };
    let hint = suggestion(name).map(|hint| format!("\n  How about {hint:?}?")).unwrap_or_default();
    Err(format!("{problem}; nothing was written.{hint}"))
}

/// The nearest name that would do; `None` when nothing is left, or when it does already.
pub fn suggestion(name: &str) -> Option<String> {
    let mut hint = String::new();
    for c in name.chars().take(LENGTH_MAX - 4) {
        match c.to_ascii_lowercase() {
            c if c.is_ascii_lowercase()
                || (c.is_ascii_digit() && !hint.is_empty())
                || c == '_' && !hint.is_empty() =>
            {
                hint.push(c)
            }
            _ if !hint.is_empty() && !hint.ends_with('-') => hint.push('-'),
            _ => {}
        }
    }
    let hint = hint.trim_end_matches(['-', '_']).to_owned();
    let hint = if TAKEN.contains(&hint.as_str()) { format!("{hint}-app") } else { hint };
    (!hint.is_empty() && hint != name).then_some(hint)
}

/// Checks a title: it is written into HTML, TOML and Rust.
///
/// # Errors
/// What is wrong.
pub fn check_title(title: &str) -> Result<(), String> {
    if title.trim().is_empty() || title.chars().count() > TITLE_LENGTH_MAX {
        return Err(format!("the title must have 1 to {TITLE_LENGTH_MAX} characters; nothing was written"));
    }
    if let Some(c) =
        title.chars().find(|c| c.is_control() || matches!(c, '"' | '\\' | '<' | '>' | '&' | '{' | '}'))
    {
        return Err(format!(
            "the title can not hold {c:?}; nothing was written.\n  Set it in the code afterwards."
        ));
    }
    Ok(())
}

/// `my-notes` → `My Notes`.
pub fn title(name: &str) -> String {
    let words = name.split(['-', '_']).filter(|word| !word.is_empty());
    let capital = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
    words.map(capital).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cargo_would_refuse_are_refused_with_one_that_would_do() {
        for (bad, hint) in [
            ("My App", "my-app"),
            ("9lives", "lives"),
            ("fn", "fn-app"),
            ("a/b", "a-b"),
            ("../x", "x"),
            ("Ünicode", "nicode"),
        ] {
            let message = check(bad).unwrap_err();
            assert!(message.contains(&format!("{hint:?}")), "{message}");
        }
        assert!(check("").is_err());
        for good in ["hello", "my-notes2", "a_b"] {
            assert_eq!(check(good), Ok(()));
        }
        assert_eq!(title("my-notes_app"), "My Notes App");
        assert!(check_title("a \" b").is_err() && check_title("Déjà vu").is_ok());
    }
}
