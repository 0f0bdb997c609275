//! What was built on other systems: one release holds the backends and shells of all of them.

use super::refused;
use crate::bundle::{Attached, Contents, read_attached};
use crate::{Error, hash};
use std::path::Path;

impl Contents {
    /// Adds what an executable holds that `staysail build` has made of the same version on another system: its backend and, if
    /// the release carries one, the shell it is attached to. The targets it was made for.
    ///
    /// The page, windows and configuration are those of this release; the interface must be the same in both.
    ///
    /// # Errors
    /// [`Error::Refused`] when that does not belong to this release; disk errors; [`Error::CorruptBundle`].
    pub fn add_built(&mut self, executable: &Path) -> Result<Vec<String>, Error> {
        let refuse = |why: String| refused(format!("{}: {why}; nothing was published", executable.display()));
        let built = read_attached(executable)?.ok_or_else(|| {
            refuse(
                "it has no release attached; name what `staysail build` has made on the other system".into(),
            )
        })?;
        let (own, theirs) = (&self.manifest, &built.manifest);
        for (what, own, theirs) in [
            ("app", &own.app, &theirs.app),
            ("version", &own.version, &theirs.version),
            ("interface", &own.interface, &theirs.interface),
        ] {
            if own != theirs {
                return Err(refuse(format!(
                    "its {what} is {theirs:?}, that of this project {own:?}; build both from the same source"
                )));
            }
        }
        if own.protocol != theirs.protocol {
            return Err(refuse("another version of Staysail has built it".into()));
        }
        let targets: Vec<String> = theirs.backend.keys().cloned().collect();
        if let Some(twice) = targets.iter().find(|target| own.backend.contains_key(*target)) {
            return Err(refuse(format!("the release has a backend for {twice} already")));
        }
        for (target, files) in &theirs.backend {
            for entry in files {
                let lacks = || refuse(format!("it does not hold {}", entry.path));
                let blob = built.blob(entry)?.ok_or_else(lacks)?;
                if hash::of(&blob) != entry.blob.sha256 {
                    return Err(refuse(format!("{} is not what it was built with", entry.path)));
                }
                self.blobs.insert(entry.blob.sha256.clone(), blob);
            }
            self.manifest.backend.insert(target.clone(), files.clone());
            self.add_built_shell(target, &built, executable).map_err(refuse)?;
        }
        Ok(targets)
    }

    /// On macOS the shell belongs to the signed bundle.
    fn add_built_shell(&mut self, target: &str, built: &Attached, executable: &Path) -> Result<(), String> {
        let Some(own) = self.shell.as_ref().filter(|_| !target.contains("-apple-")) else { return Ok(()) };
        let version = built.manifest.shell_version.as_deref();
        if version != Some(&own.version) {
            let version = version.unwrap_or("an older version");
            return Err(format!("its shell is that of Staysail {version}, the one here of {}", own.version));
        }
        let content = built.shell_content().ok_or("its shell was changed since it was built")?;
        let name = executable.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let entry = self.packed(&name, &content, true).map_err(|error| error.to_string())?;
        self.manifest.shell.insert(target.to_owned(), vec![entry]);
        Ok(())
    }
}
