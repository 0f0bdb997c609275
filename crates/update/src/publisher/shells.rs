//! The shell a release carries, and what becomes of one that the release before carried.

use super::{Place, refused};
use crate::bundle::{Contents, read_attached};
use crate::disk::{Disk, OsDisk};
use crate::store::compare_versions;
use crate::{Error, TARGET};
use staysail_protocol::manifest::Manifest;
use std::cmp::Ordering;

/// Has the release carry its shell. One that the release before carries already is in the repository.
pub(super) fn carry(
    place: &dyn Place,
    contents: &mut Contents,
    previous: Option<&Manifest>,
) -> Result<(), Error> {
    let Some(shell) = contents.shell.take() else { return Ok(()) };
    let least = contents.manifest.minimum_shell.as_ref();
    if let Some(least) = least.filter(|least| compare_versions(&shell.version, least) == Ordering::Less) {
        return Err(refused(format!(
            "the release needs Staysail {least}, but the shell it carries, {}, has {}; nothing was published. Install the newer one, or set `shell = false` under [update]",
            shell.file.display(),
            shell.version
        )));
    }
    if read_attached(&shell.file)?.is_some() {
        let file = shell.file.display();
        return Err(refused(format!("{file} is an app and not the bare shell; nothing was published")));
    }
    let digest = OsDisk.digest(&shell.file).map_err(Error::disk("reading", &shell.file))?;
    let before = previous.and_then(|previous| previous.shell.get(TARGET)?.first());
    let same = before.filter(|before| {
        let blob = format!("blobs/{}.zst", before.blob.sha256);
        digest.as_ref().is_some_and(|(sha256, size)| before.sha256 == *sha256 && before.size == *size)
            && before.path == shell.name
            && matches!(place.size(&blob), Ok(Some(size)) if size == before.blob.size)
    });
    let entry = match same {
        Some(entry) => entry.clone(),
        None => contents.entry(&shell.name, &shell.file, true)?,
    };
    contents.manifest.shell.insert(TARGET.into(), vec![entry]);
    contents.manifest.shell_version = Some(shell.version);
    Ok(())
}

/// Targets that go without the shell the release before carried for them.
pub(super) fn dropped<'a>(
    manifest: &'a Manifest,
    previous: Option<&'a Manifest>,
) -> impl Iterator<Item = &'a str> {
    let carried = previous.into_iter().flat_map(|previous| previous.shell.keys());
    let lacks =
        |target: &&String| manifest.backend.contains_key(*target) && !manifest.shell.contains_key(*target);
    carried.filter(lacks).map(String::as_str)
}

/// Whoever takes a release without a shell after one with it returns to the shell that was installed, however old that is: not
/// because of the machine on which somebody happened to publish.
pub(super) fn check_carried(contents: &Contents, previous: Option<&Manifest>) -> Result<(), Error> {
    let dropped: Vec<_> = dropped(&contents.manifest, previous).collect();
    if dropped.is_empty() || contents.without_shell {
        return Ok(());
    }
    Err(refused(format!(
        "the release before carries the shell for {}, and this one does not: apps would return to the one they were \
         installed with; nothing was published. Publish from where an optimised shell of this version is, name one in \
         STAYSAIL_SHELL with `shell = true` under [update], or set `shell = false` there if that is meant",
        dropped.join(", ")
    )))
}
