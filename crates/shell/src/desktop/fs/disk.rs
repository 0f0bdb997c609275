//! What is done at the disk, below folders held open.
//!
//! A file is written beside its place, brought to the disk and then given its name: there is the old one or the new one,
//! whatever fails meanwhile. Its other names (hard links) keep the old content. What is removed or moved whole is walked
//! through first, so that nothing the page may not touch goes along.

use super::fault::{found, from_system};
use super::leftovers;
use super::reach::{Place, Reach};
use crate::platform::held::{Held, stat_open};
use staysail_protocol::desktop::fs::{Entry, FileFault, FileKind, Stat};
use staysail_protocol::limits::{FS_ENTRIES_MAX, FS_READ_BYTES_MAX, FS_TREE_ENTRIES_MAX};
use staysail_protocol::path::{FilePath, PATH_NAMES_MAX};
use staysail_protocol::scope::Access;
use staysail_protocol::{CallError, ErrorCode};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// A name in a folder that is held.
struct Spot<'a> {
    folder: Held,
    name: &'a OsStr,
    place: &'a Place,
}

impl<'a> Spot<'a> {
    /// Goes down to the folder a place lies in.
    fn of(reach: &Reach, place: &'a Place, doing: &str, make: bool) -> Result<Self, CallError> {
        let Some((name, way)) = place.names.split_last() else {
            let message = format!(
                "`{}` can not be {doing}: it is the folder of the scope itself, which stays",
                place.shown
            );
            return Err(CallError::new(ErrorCode::Denied, message));
        };
        let folder = go_down(reach, place, way, doing, make)?;
        Ok(Self { folder, name, place })
    }

    /// What is there; `None` when nothing is.
    fn look(&self, doing: &str) -> Result<Option<Stat>, CallError> {
        match self.folder.stat(self.name) {
            Ok(stat) => Ok(Some(stat)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed(doing, &error)),
        }
    }

    /// Refuses whatever is there and is no ordinary file. Whether there is one.
    fn is_file(&self, doing: &str) -> Result<bool, CallError> {
        let Some(stat) = self.look(doing)? else { return Ok(false) };
        is_file(&stat).map(|()| true).map_err(|reason| found(reason, doing, &self.place.shown))
    }

    fn failed(&self, doing: &str, error: &io::Error) -> CallError {
        from_system(doing, &self.place.shown, error)
    }

    /// The folder, by its path.
    fn way(&self) -> PathBuf {
        let way = self.place.names.iter().take(self.place.names.len().saturating_sub(1));
        way.fold(self.place.anchor.clone(), |path, name| path.join(name))
    }
}

fn is_file(stat: &Stat) -> Result<(), FileFault> {
    match stat.kind {
        FileKind::File => Ok(()),
        FileKind::Folder => Err(FileFault::IsFolder),
        FileKind::Link => Err(FileFault::IsLink),
        FileKind::Other => Err(FileFault::NotAFile),
    }
}

/// Opens the anchor and goes down from it; `make`s the folders on the way that are missing.
fn go_down(
    reach: &Reach,
    place: &Place,
    way: &[OsString],
    doing: &str,
    make: bool,
) -> Result<Held, CallError> {
    let failed = |error: io::Error| from_system(doing, &place.shown, &error);
    let anchor = match place.anchor.canonicalize() {
        Err(error) if error.kind() == ErrorKind::NotFound && place.is_own && make => {
            std::fs::create_dir_all(&place.anchor).and_then(|()| place.anchor.canonicalize())
        }
        found => found,
    };
    let anchor = anchor.map_err(failed)?;
    let target = place.names.iter().fold(anchor.clone(), |path, name| path.join(name));
    reach.spare(&place.shown, &target)?;
    let mut folder = Held::anchor(&anchor).map_err(failed)?;
    for name in way {
        let mut next = folder.folder(name);
        if make && next.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            match folder.create_folder(name) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(failed(error)),
                _ => next = folder.folder(name),
            }
        }
        folder = next.map_err(failed)?;
    }
    Ok(folder)
}

/// The bytes of a file, or a part of them.
pub fn read(reach: &Reach, place: &Place, offset: u64, length: Option<u64>) -> Result<Vec<u8>, CallError> {
    let (mut file, size) = open(reach, place)?;
    let wanted = size.saturating_sub(offset).min(length.unwrap_or(u64::MAX));
    let too_large = || {
        let message = format!(
            "`{}` has {size} bytes, more than are read at once: {FS_READ_BYTES_MAX} (fs_read_bytes_max). Read it in \
             parts, by `offset` and `length`",
            place.shown
        );
        CallError::new(ErrorCode::TooLarge, message)
    };
    if wanted > FS_READ_BYTES_MAX {
        return Err(too_large());
    }
    let failed = |error: io::Error| from_system("read", &place.shown, &error);
    if offset > 0 {
        file.seek(SeekFrom::Start(offset)).map_err(failed)?;
    }
    let mut bytes = Vec::with_capacity(usize::try_from(wanted).unwrap_or(0));
    // A file may have grown since it was looked at, and those of the system have no size at all.
    let most = length.unwrap_or(u64::MAX).min(FS_READ_BYTES_MAX + 1);
    file.take(most).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > FS_READ_BYTES_MAX { Err(too_large()) } else { Ok(bytes) }
}

/// The text of a file.
pub fn read_text(reach: &Reach, place: &Place, bytes_max: u64) -> Result<String, CallError> {
    let (file, size) = open(reach, place)?;
    let mut bytes = Vec::with_capacity(usize::try_from(size.min(bytes_max)).unwrap_or(0));
    file.take(bytes_max + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| from_system("read", &place.shown, &error))?;
    if bytes.len() as u64 > bytes_max {
        let message = format!(
            "`{}` has more than {bytes_max} bytes, the longest text that is read at once (fs_text_bytes_max). Read its \
             bytes in parts",
            place.shown
        );
        return Err(CallError::new(ErrorCode::TooLarge, message));
    }
    String::from_utf8(bytes).map_err(|_| found(FileFault::NotText, "read", &place.shown))
}

/// Opens an ordinary file. It is looked at before, as opening some devices does something, and after, as it may have
/// been exchanged in between.
fn open(reach: &Reach, place: &Place) -> Result<(File, u64), CallError> {
    const DOING: &str = "read";
    if place.names.is_empty() {
        return Err(found(FileFault::IsFolder, DOING, &place.shown));
    }
    let spot = Spot::of(reach, place, DOING, false)?;
    if !spot.is_file(DOING)? {
        return Err(found(FileFault::NotFound, DOING, &place.shown));
    }
    let file = spot.folder.open(spot.name).map_err(|error| spot.failed(DOING, &error))?;
    let stat = stat_open(&file).map_err(|error| spot.failed(DOING, &error))?;
    is_file(&stat).map_err(|reason| found(reason, DOING, &place.shown))?;
    Ok((file, stat.size))
}

/// Writes a file, whole or not at all.
pub fn write(reach: &Reach, place: &Place, bytes: &[u8]) -> Result<(), CallError> {
    let spot = Spot::of(reach, place, "written", true)?;
    let there = spot.is_file("written")?;
    put(&spot, there, true, |file| file.write_all(bytes))
}

/// Makes a file beside the spot, fills it, and puts it in place.
fn put(
    spot: &Spot<'_>,
    there: bool,
    replace: bool,
    fill: impl FnOnce(&mut File) -> io::Result<()>,
) -> Result<(), CallError> {
    let like = there.then_some(spot.name);
    let failed = |error: io::Error| spot.failed("written", &error);
    leftovers::sweep_once(&spot.folder, spot.way());
    let (beside, mut file) = leftovers::create(&spot.folder, like).map_err(failed)?;
    let written = fill(&mut file).and_then(|()| file.sync_all());
    let placed = written.and_then(|()| spot.folder.rename(&beside, &spot.folder, spot.name, replace));
    // Open until it has its name: nobody takes it away meanwhile.
    drop(file);
    if placed.is_err() {
        let _ = spot.folder.remove_file(&beside);
    }
    placed.map_err(failed)?;
    spot.folder.sync();
    Ok(())
}

/// Refuses a place that can not be written: another thing than a file is there, or a file that is not to be replaced.
pub fn is_free(reach: &Reach, place: &Place, overwrite: bool) -> Result<(), CallError> {
    match Spot::of(reach, place, "written", false) {
        Ok(spot) => may_take_place(&spot, overwrite),
        // Its folder is made when the file is.
        Err(error) if error.details["reason"] == "not_found" => Ok(()),
        Err(error) => Err(error),
    }
}

/// Puts a whole file that lies elsewhere at a place.
pub fn take_in(reach: &Reach, place: &Place, file: &Path, overwrite: bool) -> Result<(), CallError> {
    const DOING: &str = "written";
    let spot = Spot::of(reach, place, DOING, true)?;
    may_take_place(&spot, overwrite)?;
    let failed = |error: io::Error| spot.failed(DOING, &error);
    let (Some(folder), Some(name)) = (file.parent(), file.file_name()) else {
        return Err(failed(ErrorKind::NotFound.into()));
    };
    let from = Held::anchor(folder).map_err(failed)?;
    from.stat(name).map_err(failed)?;
    if !spot.is_file(DOING)? {
        // What is renamed must be on the disk before its name is. Opened to write: Windows asks for that.
        from.open_end(name).and_then(|file| file.sync_all()).map_err(failed)?;
        match from.rename(name, &spot.folder, spot.name, false) {
            Err(error) if error.kind() == ErrorKind::CrossesDevices => {}
            renamed => {
                renamed.map_err(failed)?;
                spot.folder.sync();
                return Ok(());
            }
        }
    }
    // Another disk, or a file whose rights are kept.
    let mut source = from.open(name).map_err(failed)?;
    let there = spot.is_file(DOING)?;
    put(&spot, there, overwrite, |file| io::copy(&mut source, file).map(drop))?;
    drop(source);
    let _ = from.remove_file(name);
    Ok(())
}

/// Writes at the end of a file.
pub fn append(reach: &Reach, place: &Place, bytes: &[u8]) -> Result<(), CallError> {
    const DOING: &str = "written";
    let spot = Spot::of(reach, place, DOING, true)?;
    spot.is_file(DOING)?;
    let mut file = spot.folder.open_end(spot.name).map_err(|error| spot.failed(DOING, &error))?;
    let stat = stat_open(&file).map_err(|error| spot.failed(DOING, &error))?;
    is_file(&stat).map_err(|reason| found(reason, DOING, &place.shown))?;
    let written = file.write_all(bytes).and_then(|()| file.sync_data());
    written.map_err(|error| {
        // As far as that goes: a half message is worse than none.
        let _ = file.set_len(stat.size);
        spot.failed(DOING, &error)
    })
}

/// What the page may see of a folder, by name.
pub fn list(reach: &Reach, place: &Place) -> Result<Vec<Entry>, CallError> {
    let failed = |error: io::Error| from_system("listed", &place.shown, &error);
    let folder = go_down(reach, place, &place.names, "listed", false)?;
    let names = folder.names(FS_ENTRIES_MAX).map_err(failed)?;
    if names.len() > FS_ENTRIES_MAX {
        let message = format!(
            "`{}` holds more than {FS_ENTRIES_MAX} entries (fs_entries_max); it is not listed",
            place.shown
        );
        return Err(CallError::new(ErrorCode::TooLarge, message));
    }
    let mut entries = Vec::new();
    for name in names {
        let text = name.to_string_lossy();
        if !reach.allows(&below(&place.path, &text), Access::Read) {
            continue;
        }
        match folder.stat(&name) {
            Ok(stat) => {
                let unreadable_name = name.to_str().is_none();
                entries.push(Entry { name: text.into_owned(), unreadable_name, stat });
            }
            // It went while the folder was read.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

fn below(path: &FilePath, name: &str) -> FilePath {
    let mut below = path.clone();
    below.names.push(name.to_owned());
    below
}

/// What is known of a file or folder.
pub fn stat(reach: &Reach, place: &Place) -> Result<Stat, CallError> {
    const DOING: &str = "looked at";
    if place.names.is_empty() {
        let folder = go_down(reach, place, &[], DOING, false)?;
        return folder.stat_self().map_err(|error| from_system(DOING, &place.shown, &error));
    }
    let spot = Spot::of(reach, place, DOING, false)?;
    spot.folder.stat(spot.name).map_err(|error| spot.failed(DOING, &error))
}

/// Whether something is there.
pub fn exists(reach: &Reach, place: &Place) -> Result<bool, CallError> {
    match stat(reach, place) {
        Ok(_) => Ok(true),
        Err(error)
            if ["not_found", "not_a_folder"].iter().any(|reason| error.details["reason"] == *reason) =>
        {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Makes a folder and those it lies in, unless they are there.
pub fn create_folder(reach: &Reach, place: &Place) -> Result<(), CallError> {
    go_down(reach, place, &place.names, "made", true).map(drop)
}

/// Takes a file away, or a folder with what is in it.
pub fn remove(reach: &Reach, place: &Place, recursive: bool) -> Result<(), CallError> {
    const DOING: &str = "removed";
    let spot = Spot::of(reach, place, DOING, false)?;
    let failed = |error: io::Error| spot.failed(DOING, &error);
    let stat = spot.look(DOING)?.ok_or_else(|| found(FileFault::NotFound, DOING, &place.shown))?;
    if stat.kind != FileKind::Folder {
        return spot.folder.remove_file(spot.name).map_err(failed);
    }
    if !recursive {
        return match spot.folder.remove_folder(spot.name) {
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => Err({
                let mut error = failed(error);
                error.message += ". To remove what is in it as well, ask for `recursive`";
                error
            }),
            done => done.map_err(failed),
        };
    }
    spare_whole(reach, place)?;
    let mut walk = Walk { reach, shown: &place.shown, doing: DOING, seen: 0 };
    walk.through(&spot.folder, spot.name, &place.path, &mut |_, _| Ok(()), &[&place.path])?;
    let mut walk = Walk { seen: 0, ..walk };
    walk.through(
        &spot.folder,
        spot.name,
        &place.path,
        &mut |folder, entry| match entry {
            Met::File(name) => folder.remove_file(name),
            Met::Emptied(name) => folder.remove_folder(name),
        },
        &[&place.path],
    )
}

fn spare_whole(reach: &Reach, place: &Place) -> Result<(), CallError> {
    let target = place.names.iter().fold(place.anchor.clone(), |path, name| path.join(name));
    match target.canonicalize() {
        Ok(target) => reach.spare_whole(&place.shown, &target),
        Err(error) => Err(from_system("moved or removed", &place.shown, &error)),
    }
}

/// What a walk meets.
enum Met<'a> {
    /// A file, a link, whatever is no folder.
    File(&'a OsStr),
    /// A folder, after what is in it.
    Emptied(&'a OsStr),
}

/// Goes through a folder and all in it, and ends at the first thing the page may not change.
struct Walk<'a> {
    reach: &'a Reach,
    shown: &'a str,
    doing: &'static str,
    seen: usize,
}

impl Walk<'_> {
    /// `ways`: the paths under which all of it must be allowed.
    fn through(
        &mut self,
        parent: &Held,
        name: &OsStr,
        path: &FilePath,
        act: &mut dyn FnMut(&Held, Met<'_>) -> io::Result<()>,
        ways: &[&FilePath],
    ) -> Result<(), CallError> {
        let failed = |error: io::Error| from_system(self.doing, self.shown, &error);
        if path.names.len() > PATH_NAMES_MAX {
            return Err(found(FileFault::BadName, self.doing, self.shown));
        }
        let folder = parent.folder(name).map_err(failed)?;
        for name in folder.names(FS_TREE_ENTRIES_MAX).map_err(failed)? {
            self.seen += 1;
            let text = name.to_string_lossy();
            self.check(&text, ways)?;
            let kind = match folder.stat(&name) {
                Ok(stat) => stat.kind,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(from_system(self.doing, self.shown, &error)),
            };
            if kind == FileKind::Folder {
                let inner: Vec<FilePath> = ways.iter().map(|way| below(way, &text)).collect();
                let inner: Vec<&FilePath> = inner.iter().collect();
                self.through(&folder, &name, &below(path, &text), act, &inner)?;
            } else {
                act(&folder, Met::File(&name))
                    .map_err(|error| from_system(self.doing, self.shown, &error))?;
            }
        }
        drop(folder);
        act(parent, Met::Emptied(name)).map_err(|error| from_system(self.doing, self.shown, &error))
    }

    fn check(&self, name: &str, ways: &[&FilePath]) -> Result<(), CallError> {
        if self.seen > FS_TREE_ENTRIES_MAX {
            let message = format!(
                "`{}` holds more than {FS_TREE_ENTRIES_MAX} files and folders (fs_tree_entries_max); it was left as it is",
                self.shown
            );
            return Err(CallError::new(ErrorCode::TooLarge, message));
        }
        let denied =
            ways.iter().map(|way| below(way, name)).find(|way| !self.reach.allows(way, Access::ReadWrite));
        let Some(denied) = denied else { return Ok(()) };
        let message = format!(
            "`{}` can not be {}: it holds `{denied}`, which the page may not change; it was left as it is. Hidden files \
             belong to a scope only when its pattern names them",
            self.shown, self.doing
        );
        Err(CallError::new(ErrorCode::Denied, message))
    }
}

/// Gives a file or folder another name or place.
pub fn rename(reach: &Reach, from: &Place, to: &Place, overwrite: bool) -> Result<(), CallError> {
    const DOING: &str = "renamed";
    let source = Spot::of(reach, from, DOING, false)?;
    let stat = source.look(DOING)?.ok_or_else(|| found(FileFault::NotFound, DOING, &from.shown))?;
    let goal = Spot::of(reach, to, DOING, true)?;
    let is_folder = stat.kind == FileKind::Folder;
    if is_folder {
        spare_whole(reach, from)?;
        let mut walk = Walk { reach, shown: &from.shown, doing: DOING, seen: 0 };
        walk.through(&source.folder, source.name, &from.path, &mut |_, _| Ok(()), &[&from.path, &to.path])?;
    }
    may_take_place(&goal, overwrite)?;
    match source.folder.rename(source.name, &goal.folder, goal.name, overwrite) {
        Ok(()) => {
            source.folder.sync();
            goal.folder.sync();
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::CrossesDevices && stat.kind == FileKind::File => {
            copy(reach, from, to, overwrite)?;
            source.folder.remove_file(source.name).map_err(|error| source.failed(DOING, &error))
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(goal.failed("taken as a name", &error)),
        Err(error) => Err(source.failed(DOING, &error)),
    }
}

/// Only files are replaced, and only when that is asked for.
fn may_take_place(goal: &Spot<'_>, overwrite: bool) -> Result<(), CallError> {
    let doing = "taken as a name";
    match goal.look(doing)? {
        None => Ok(()),
        Some(_) if !overwrite => Err(found(FileFault::Exists, doing, &goal.place.shown)),
        Some(stat) => is_file(&stat).map_err(|reason| found(reason, doing, &goal.place.shown)),
    }
}

/// Copies a file, whole or not at all.
pub fn copy(reach: &Reach, from: &Place, to: &Place, overwrite: bool) -> Result<(), CallError> {
    let (mut source, _) = open(reach, from)?;
    let goal = Spot::of(reach, to, "written", true)?;
    may_take_place(&goal, overwrite)?;
    let there = goal.is_file("written")?;
    put(&goal, there, overwrite, |file| io::copy(&mut source, file).map(drop))
}

#[cfg(all(test, unix))]
#[path = "disk_tests.rs"]
mod tests;
