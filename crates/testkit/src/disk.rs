//! A disk that fails, fills, forgets and rots as [`crate::faults`] has it.

use crate::faults::{End, Faults, Sort, Verdict};
use crate::platter::{Node, Platter, parent};
use sha2::{Digest, Sha256};
use staysail_update::disk::{Disk, Entry, Lock};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Where the store of the simulated app lies.
pub const STORE: &str = "/app/store";
/// Where private folders are made: on another disk than the store.
pub const PRIVATE: &str = "/private";

/// The machine's disk; outlives processes.
#[derive(Debug, Clone)]
pub struct Machine {
    platter: Arc<Mutex<Platter>>,
    faults: Faults,
}

type Locks = Arc<Mutex<BTreeMap<String, i64>>>;

/// The disk as one process sees it. Its locks go with it.
#[derive(Debug)]
pub struct SimulatedDisk {
    machine: Machine,
    locks: Locks,
    names: AtomicU64,
    /// Looks without being counted and without faults.
    unseen: bool,
}

#[derive(Debug)]
struct Held {
    locks: Locks,
    name: String,
    shared: bool,
}

impl Lock for Held {}

impl Drop for Held {
    fn drop(&mut self) {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        let holders = locks.entry(self.name.clone()).or_default();
        *holders = if self.shared { *holders - 1 } else { 0 };
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}

fn refused() -> io::Error {
    io::Error::other("simulated: the disk refused")
}

fn not_found<T>() -> io::Result<T> {
    Err(ErrorKind::NotFound.into())
}

impl Machine {
    /// An empty one.
    pub fn new(faults: Faults) -> Self {
        Self { platter: Arc::new(Mutex::new(Platter::new(&["/app", PRIVATE]))), faults }
    }

    /// The disk for a new process.
    pub fn process(&self) -> Arc<SimulatedDisk> {
        Arc::new(SimulatedDisk {
            machine: self.clone(),
            locks: Arc::default(),
            names: AtomicU64::new(0),
            unseen: false,
        })
    }

    /// The disk for those who only look; nothing they do is an effect.
    pub fn onlooker(&self) -> Arc<SimulatedDisk> {
        Arc::new(SimulatedDisk {
            machine: self.clone(),
            locks: Arc::default(),
            names: AtomicU64::new(0),
            unseen: true,
        })
    }

    /// The process has ended in this way.
    pub fn after(&self, end: End) {
        let mut platter = self.platter();
        if end == End::Power {
            platter.lose_power(&mut self.faults.state().chance);
        }
    }

    /// Names of all files of the store.
    pub fn names(&self) -> Vec<String> {
        let platter = self.platter();
        platter
            .live
            .iter()
            .filter(|(_, node)| matches!(node, Node::File(_)))
            .map(|(name, _)| name.clone())
            .collect()
    }

    fn platter(&self) -> MutexGuard<'_, Platter> {
        self.platter.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SimulatedDisk {
    /// Counts an effect. `Ok(true)` when only half of it is done.
    fn effect(&self, what: &'static str, name: &str, writes: bool) -> io::Result<bool> {
        if self.unseen {
            return if writes { Err(ErrorKind::ReadOnlyFilesystem.into()) } else { Ok(false) };
        }
        match self.machine.faults.effect(Sort::Disk, what, name, writes) {
            Verdict::Go => Ok(false),
            Verdict::Dead => Err(io::Error::other("simulated: the process is dead")),
            Verdict::Full if what == "write" || what == "extend" => Ok(true),
            Verdict::Full => Err(ErrorKind::StorageFull.into()),
            Verdict::Fail(_) => Err(refused()),
            Verdict::Rot(number) => {
                let rotten = self.machine.platter().rot(STORE, number);
                self.machine.faults.note(|| format!("      a bit flips in {rotten:?}"));
                self.machine.faults.state().rotten = rotten;
                Ok(false)
            }
            Verdict::RotMemory(number) => {
                let mut platter = self.machine.platter();
                for copy in ["state", "state.copy"] {
                    platter.rot_file(&format!("{STORE}/{copy}"), number);
                }
                Ok(false)
            }
        }
    }

    fn add(&self, name: &str, bytes: &[u8], half: bool) -> io::Result<()> {
        let mut platter = self.machine.platter();
        let Some(file) = platter.file_mut(name) else { return not_found() };
        let mut data = (*file.data).clone();
        data.extend_from_slice(&bytes[..if half { bytes.len() / 2 } else { bytes.len() }]);
        file.data = Arc::new(data);
        if half { Err(ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    /// Makes the file, unless it is there.
    fn make(&self, name: &str, executable: bool) -> io::Result<()> {
        let mut platter = self.machine.platter();
        if platter.live.get(parent(name)) != Some(&Node::Folder) {
            return not_found();
        }
        match platter.live.get(name) {
            Some(Node::Folder) => Err(ErrorKind::IsADirectory.into()),
            Some(Node::File(_)) => Err(ErrorKind::AlreadyExists.into()),
            None => {
                platter.create(name, executable);
                Ok(())
            }
        }
    }

    fn content(&self, name: &str) -> io::Result<Option<Arc<Vec<u8>>>> {
        let platter = self.machine.platter();
        match platter.live.get(name) {
            None => Ok(None),
            Some(Node::Folder) => Err(ErrorKind::IsADirectory.into()),
            Some(Node::File(at)) => Ok(Some(Arc::clone(&platter.files[*at].data))),
        }
    }
}

impl Disk for SimulatedDisk {
    fn create(&self, path: &Path, bytes: &[u8], executable: bool) -> io::Result<()> {
        let name = text(path);
        self.effect("create", name, true)?;
        self.make(name, executable)?;
        let half = self.effect("write", name, true)?;
        self.add(name, bytes, half)?;
        self.effect("sync", name, true)?;
        if let Some(file) = self.machine.platter().file_mut(name) {
            file.synced = Arc::clone(&file.data);
        }
        Ok(())
    }

    fn extend(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let name = text(path);
        let half = self.effect("extend", name, true)?;
        match self.make(name, false) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        self.add(name, bytes, half)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (from, to) = (text(from), text(to));
        self.effect("rename", to, true)?;
        let mut platter = self.machine.platter();
        if platter.live.get(to) == Some(&Node::Folder) {
            return Err(ErrorKind::IsADirectory.into());
        }
        let Some(node) = platter.live.remove(from) else { return not_found() };
        platter.live.insert(to.to_owned(), node);
        Ok(())
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        let name = text(path);
        self.effect("create_folder", name, true)?;
        let mut platter = self.machine.platter();
        match platter.live.get(name) {
            Some(Node::Folder) => Ok(()),
            Some(Node::File(_)) => Err(ErrorKind::AlreadyExists.into()),
            None if platter.live.get(parent(name)) != Some(&Node::Folder) => not_found(),
            None => {
                platter.live.insert(name.to_owned(), Node::Folder);
                Ok(())
            }
        }
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        let name = text(path);
        self.effect("sync_folder", name, true)?;
        self.machine.platter().sync_folder(name);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let name = text(path);
        let node = self.machine.platter().live.get(name).copied();
        if node == Some(Node::Folder) {
            let children = self.machine.platter().children(name);
            for child in children {
                self.remove(Path::new(&child))?;
            }
        }
        self.effect("remove", name, true)?;
        self.machine.platter().live.remove(name);
        Ok(())
    }

    fn read(&self, path: &Path, max: u64) -> io::Result<Option<Vec<u8>>> {
        let name = text(path);
        self.effect("read", name, false)?;
        match self.content(name)? {
            Some(content) if content.len() as u64 > max => Err(ErrorKind::FileTooLarge.into()),
            content => Ok(content.map(|content| (*content).clone())),
        }
    }

    fn digest(&self, path: &Path) -> io::Result<Option<(String, u64)>> {
        let name = text(path);
        self.effect("digest", name, false)?;
        let content = self.content(name)?;
        Ok(content
            .map(|content| (staysail_update::hash::hex(&Sha256::digest(&**content)), content.len() as u64)))
    }

    fn size(&self, path: &Path) -> io::Result<Option<u64>> {
        let name = text(path);
        self.effect("size", name, false)?;
        let platter = self.machine.platter();
        Ok(platter.live.get(name).map(|node| match node {
            Node::Folder => 0,
            Node::File(at) => platter.files[*at].data.len() as u64,
        }))
    }

    fn is_folder(&self, path: &Path) -> bool {
        self.machine.platter().live.get(text(path)) == Some(&Node::Folder)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let name = text(path);
        self.effect("list", name, false)?;
        let platter = self.machine.platter();
        let entry = |child: String| Entry {
            is_folder: platter.live.get(&child) == Some(&Node::Folder),
            name: child[name.len() + 1..].to_owned(),
        };
        Ok(platter.children(name).into_iter().map(entry).collect())
    }

    fn mark_executable(&self, path: &Path) -> io::Result<()> {
        if let Some(file) = self.machine.platter().file_mut(text(path)) {
            file.executable = true;
        }
        Ok(())
    }

    fn try_lock(&self, path: &Path, shared: bool) -> io::Result<Option<Box<dyn Lock>>> {
        let name = text(path);
        let missing = self.content(name)?.is_none();
        self.effect("lock", name, missing)?;
        if missing {
            self.make(name, false)?;
        }
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        let holders = locks.entry(name.to_owned()).or_default();
        // Those who share count up, one alone counts as -1.
        let free = if shared { *holders >= 0 } else { *holders == 0 };
        if !free {
            return Ok(None);
        }
        *holders = if shared { *holders + 1 } else { -1 };
        Ok(Some(Box::new(Held { locks: Arc::clone(&self.locks), name: name.to_owned(), shared })))
    }

    fn private_folder(&self) -> io::Result<PathBuf> {
        let name = format!("{PRIVATE}/{}", self.names.fetch_add(1, Ordering::Relaxed));
        self.machine.platter().live.insert(name.clone(), Node::Folder);
        Ok(PathBuf::from(name))
    }

    fn temporary(&self, path: &Path) -> PathBuf {
        let number = self.names.fetch_add(1, Ordering::Relaxed);
        path.with_file_name(format!(
            ".{}.{number}.tmp",
            text(Path::new(path.file_name().unwrap_or_default()))
        ))
    }

    fn blocks(&self) -> bool {
        false
    }
}
