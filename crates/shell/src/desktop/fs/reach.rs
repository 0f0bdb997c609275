//! What a page may touch, decided by names alone: the `files` of its window's capabilities, and what the user chose.

use super::folders::{self, OWN_NAMES, absolute};
use super::grants::Grant;
use super::invalid;
use crate::shell::{Facts, Shell};
use staysail_protocol::path::{Base, FilePath, Style};
use staysail_protocol::scope::{Access, FileScope, Pattern};
use staysail_protocol::{CallError, ErrorCode};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What the page of one window may touch.
pub struct Reach {
    window: String,
    facts: Facts,
    rules: Vec<Rule>,
}

struct Rule {
    /// Where it begins, as paths spell it.
    root: String,
    names: Vec<String>,
    /// Where that is.
    anchor: PathBuf,
    /// The anchor is made when it is not there.
    is_own: bool,
    meant: Meant,
    access: Access,
}

enum Meant {
    /// What fits below the anchor.
    Pattern(Pattern),
    /// The anchor's file of this name, under whichever name the page was told.
    File(OsString),
}

/// Something a page may touch.
#[derive(Debug, Clone)]
pub struct Place {
    /// As the page wrote it.
    pub shown: String,
    /// The same without a variable.
    pub path: FilePath,
    /// The folder it lies below.
    pub anchor: PathBuf,
    /// The folder is made when it is not there.
    pub is_own: bool,
    /// The names below.
    pub names: Vec<OsString>,
}

impl Reach {
    /// That of the page of `window`, now.
    pub fn of(shell: &Shell, window: &str) -> Self {
        let facts = shell.facts();
        let scopes: Vec<FileScope> = shell.granted(window, |granted| granted.files().cloned().collect());
        Self::new(window, facts, &scopes, shell.files.grants.of(window))
    }

    /// What these scopes and choices allow.
    pub fn new(window: &str, facts: Facts, scopes: &[FileScope], grants: Vec<Grant>) -> Self {
        let declared = scopes.iter().filter_map(|scope| declared(scope, &facts));
        let rules = declared.chain(grants.into_iter().filter_map(chosen)).collect();
        Self { window: window.to_owned(), facts, rules }
    }

    /// The place of a path, if the page may do this with it.
    ///
    /// # Errors
    /// `InvalidArguments` for what is no path, `Denied` for what is out of reach. The disk was not touched.
    pub fn place(&self, text: &str, access: Access) -> Result<Place, CallError> {
        self.find(text, access, Pattern::matches)
    }

    /// The place of a folder, if the page may list it.
    ///
    /// # Errors
    /// As [`Reach::place`].
    pub fn folder(&self, text: &str) -> Result<Place, CallError> {
        self.find(text, Access::Read, Pattern::lists)
    }

    /// Whether the page may do this with something met on the way.
    pub fn allows(&self, path: &FilePath, access: Access) -> bool {
        self.rules.iter().any(|rule| rule.names_of(path, access, Pattern::matches).is_some())
    }

    fn find(
        &self,
        text: &str,
        access: Access,
        fits: fn(&Pattern, &[String]) -> bool,
    ) -> Result<Place, CallError> {
        let path = FilePath::parse(text, Style::here()).map_err(|error| invalid(error.to_string()))?;
        let path = absolute(path, &self.facts).ok_or_else(|| {
            invalid(format!(
                "this system has no folder for the variable of {text:?}, or one whose name is no Unicode"
            ))
        })?;
        let found = self.rules.iter().find_map(|rule| Some((rule, rule.names_of(&path, access, fits)?)));
        let Some((rule, names)) = found else { return Err(self.denied(text, access)) };
        Ok(Place { shown: text.to_owned(), path, anchor: rule.anchor.clone(), is_own: rule.is_own, names })
    }

    /// Refuses what is Staysail's own, however a scope or the user came to name it. `target` has no link in it.
    ///
    /// # Errors
    /// `Denied`.
    pub fn spare(&self, shown: &str, target: &Path) -> Result<(), CallError> {
        let target = folded(target);
        let is_own = |kept: &Path| {
            let rest = target.strip_prefix(kept).ok().and_then(|rest| rest.components().next());
            rest.is_some_and(|name| OWN_NAMES.iter().any(|own| name.as_os_str() == *own))
        };
        let [kept, storage] = self.kept();
        if kept.is_some_and(|kept| target.starts_with(&kept) && !is_own(&kept))
            || storage.is_some_and(|storage| target.starts_with(storage))
        {
            let message = format!("`{shown}` is where the app itself is kept; no page may touch it");
            return Err(CallError::new(ErrorCode::Denied, message));
        }
        Ok(())
    }

    /// Where the app itself is kept, and what its webview keeps, as they are compared.
    fn kept(&self) -> [Option<PathBuf>; 2] {
        [folders::kept_from_pages(&self.facts), folders::of_webview(&self.facts)]
            .map(|folder| Some(folded(&folder?.canonicalize().ok()?)))
    }

    /// Refuses as well what Staysail's own lies in.
    ///
    /// # Errors
    /// `Denied`.
    pub fn spare_whole(&self, shown: &str, target: &Path) -> Result<(), CallError> {
        self.spare(shown, target)?;
        if self.kept().into_iter().flatten().any(|kept| kept.starts_with(folded(target))) {
            let message = format!("the app itself is kept in `{shown}`; no page may move or remove it");
            return Err(CallError::new(ErrorCode::Denied, message));
        }
        Ok(())
    }

    fn denied(&self, text: &str, access: Access) -> CallError {
        let readable = access == Access::ReadWrite && self.find(text, Access::Read, Pattern::matches).is_ok();
        let what = if access == Access::Read { "read" } else { "change" };
        let also = if readable { "; it may read it" } else { "" };
        let access = if access == Access::Read { "read" } else { "read_write" };
        let message = format!(
            "the page of window `{}` may not {what} `{text}`{also}. To let it, add {{ path = \"…\", access = \
             \"{access}\" }} to `files` of [[capabilities]] in staysail.toml, or let the user choose it in a dialog",
            self.window
        );
        tracing::warn!(message, "denied");
        CallError::new(ErrorCode::Denied, message)
    }
}

impl Rule {
    /// The names below the anchor, if this rule allows it.
    fn names_of(
        &self,
        path: &FilePath,
        access: Access,
        fits: fn(&Pattern, &[String]) -> bool,
    ) -> Option<Vec<OsString>> {
        let Base::Root(root) = &path.base else { return None };
        if access > self.access || *root != self.root {
            return None;
        }
        let rest = path.names.strip_prefix(self.names.as_slice())?;
        match &self.meant {
            Meant::Pattern(pattern) => fits(pattern, rest).then(|| rest.iter().map(OsString::from).collect()),
            Meant::File(name) => rest.is_empty().then(|| vec![name.clone()]),
        }
    }
}

fn declared(scope: &FileScope, facts: &Facts) -> Option<Rule> {
    let pattern = match Pattern::parse(&scope.path) {
        Ok(pattern) => pattern,
        Err(error) => {
            tracing::error!(path = scope.path, %error, "a scope of `files` is not understood; it allows nothing");
            return None;
        }
    };
    let is_own = matches!(pattern.base, Base::Variable(variable) if folders::is_own(variable));
    let anchor = absolute(pattern.anchor(), facts)?;
    let Base::Root(root) = &anchor.base else { return None };
    Some(Rule {
        root: root.clone(),
        anchor: PathBuf::from(anchor.text(Style::here())),
        names: anchor.names,
        is_own,
        meant: Meant::Pattern(pattern),
        access: scope.access,
    })
}

fn chosen(grant: Grant) -> Option<Rule> {
    let Base::Root(root) = grant.spelled.base else { return None };
    let names = grant.spelled.names;
    let rule = |anchor, meant| Rule { root, names, anchor, is_own: false, meant, access: Access::ReadWrite };
    if grant.tree {
        return Some(rule(grant.target, Meant::Pattern(Pattern::everything())));
    }
    let (folder, name) = (grant.target.parent()?.to_path_buf(), grant.target.file_name()?.to_owned());
    Some(rule(folder, Meant::File(name)))
}

/// As systems compare paths that ignore case; only used to refuse.
fn folded(path: &Path) -> PathBuf {
    if cfg!(any(windows, target_os = "macos")) {
        PathBuf::from(path.to_string_lossy().to_lowercase())
    } else {
        path.to_path_buf()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts { data_dir: "/x/app/data".into(), ..Facts::default() }
    }

    fn reach(scopes: &[(&str, Access)]) -> Reach {
        let scopes: Vec<FileScope> =
            scopes.iter().map(|(path, access)| FileScope { path: (*path).into(), access: *access }).collect();
        Reach::new("main", facts(), &scopes, Vec::new())
    }

    #[cfg(unix)]
    #[test]
    fn a_path_is_reached_under_each_of_its_spellings_and_by_the_access_that_was_given() {
        let reach = reach(&[
            ("$DATA/**", Access::ReadWrite),
            ("/srv/charts/*.kap", Access::Read),
            ("$NOPE/**", Access::Read),
        ]);
        for text in ["$DATA/a/b", "/x/app/data/a/b"] {
            let place = reach.place(text, Access::ReadWrite).unwrap();
            assert_eq!(
                (place.anchor.to_str().unwrap(), place.names),
                ("/x/app/data", vec!["a".into(), "b".into()])
            );
        }
        assert!(reach.place("/srv/charts/a.kap", Access::Read).is_ok());
        assert!(reach.folder("/srv/charts").is_ok() && reach.place("/srv/charts", Access::Read).is_err());
        let denied = reach.place("/srv/charts/a.kap", Access::ReadWrite).unwrap_err();
        assert!(denied.code == ErrorCode::Denied && denied.message.contains("it may read it"), "{denied}");
        for text in
            ["/srv/charts/a.txt", "/srv/charts/x/a.kap", "/etc/passwd", "/x/app/data2/a", "/x/app/staysail/a"]
        {
            assert_eq!(reach.place(text, Access::Read).unwrap_err().code, ErrorCode::Denied, "{text}");
        }
        for text in ["$DATA/../secret", "a", "", "$DATA/a\0"] {
            assert_eq!(
                reach.place(text, Access::Read).unwrap_err().code,
                ErrorCode::InvalidArguments,
                "{text}"
            );
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_the_user_chose_is_reached_as_it_was_spelled_and_nothing_beside_it() {
        let spelled = |text: &str| FilePath::parse(text, Style::here()).unwrap();
        let grants = vec![
            Grant { spelled: spelled("/mnt/u/newest.kap"), target: "/srv/2024.kap".into(), tree: false },
            Grant { spelled: spelled("/mnt/u/maps"), target: "/mnt/maps".into(), tree: true },
        ];
        let reach = Reach::new("main", facts(), &[], grants);
        let file = reach.place("/mnt/u/newest.kap", Access::ReadWrite).unwrap();
        assert_eq!((file.anchor.to_str().unwrap(), file.names), ("/srv", vec!["2024.kap".into()]));
        let below = reach.place("/mnt/u/maps/a/b", Access::ReadWrite).unwrap();
        assert_eq!(
            (below.anchor.to_str().unwrap(), below.names),
            ("/mnt/maps", vec!["a".into(), "b".into()])
        );
        for text in ["/srv/2024.kap", "/mnt/u/newest.kap/x", "/mnt/u", "/mnt/u/maps/.git", "/mnt/maps/a"] {
            assert!(reach.place(text, Access::Read).is_err(), "{text}");
        }
    }

    #[test]
    fn where_the_app_itself_is_kept_is_spared_whatever_a_scope_says() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().canonicalize().unwrap();
        let app = home.join("app");
        std::fs::create_dir_all(app.join("data")).unwrap();
        let facts = Facts { data_dir: app.join("data").display().to_string(), ..Facts::default() };
        let reach = Reach::new("main", facts, &[], Vec::new());
        for refused in ["app", "app/staysail", "app/staysail/x", "app/webview/cookies", "app/windows.json"] {
            assert!(reach.spare("-", &home.join(refused)).is_err(), "{refused}");
        }
        for fine in ["app/data/x", "app/config/x", "app/data/web/x", "other", ""] {
            assert!(reach.spare("-", &home.join(fine)).is_ok(), "{fine}");
        }
        let whole = |reach: &Reach, name| reach.spare_whole("-", &home.join(name)).is_ok();
        assert!(!whole(&reach, "") && whole(&reach, "other") && whole(&reach, "app/data"));
        // What the webview keeps lies where the project says.
        std::fs::create_dir_all(app.join("data/web")).unwrap();
        let mut facts = reach.facts;
        facts.config.webview.storage = Some("$DATA/web".into());
        let reach = Reach::new("main", facts, &[], Vec::new());
        assert!(reach.spare("-", &app.join("data/web/x")).is_err());
        assert!(reach.spare("-", &app.join("data/x")).is_ok() && !whole(&reach, "app/data"));
    }
}
