//! What a simulated disk holds: as programs see it, and as a power failure would leave it.

use crate::chance::Chance;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Node {
    Folder,
    /// Index of the file.
    File(usize),
}

#[derive(Debug, Clone, Default)]
pub struct File {
    /// As programs see it.
    pub data: Arc<Vec<u8>>,
    /// As it was synced last.
    pub synced: Arc<Vec<u8>>,
    pub executable: bool,
}

/// Names are absolute and `/`-separated; `live` is what programs see, `durable` what was synced.
#[derive(Debug, Clone, Default)]
pub struct Platter {
    pub live: BTreeMap<String, Node>,
    durable: BTreeMap<String, Node>,
    pub files: Vec<File>,
}

/// The folder a name lies in.
pub fn parent(name: &str) -> &str {
    name.rfind('/').map_or("", |at| &name[..at])
}

impl Platter {
    /// A disk with these folders.
    pub fn new(folders: &[&str]) -> Self {
        let live: BTreeMap<_, _> = folders.iter().map(|name| ((*name).to_owned(), Node::Folder)).collect();
        Self { durable: live.clone(), live, files: Vec::new() }
    }

    /// Names directly in a folder.
    pub fn children(&self, folder: &str) -> Vec<String> {
        below(&self.live, folder).filter(|name| parent(name) == folder).cloned().collect()
    }

    #[cfg(test)]
    pub fn file(&self, name: &str) -> Option<&File> {
        match self.live.get(name)? {
            Node::File(at) => self.files.get(*at),
            Node::Folder => None,
        }
    }

    pub fn file_mut(&mut self, name: &str) -> Option<&mut File> {
        match self.live.get(name)? {
            Node::File(at) => self.files.get_mut(*at),
            Node::Folder => None,
        }
    }

    /// A new, empty file.
    pub fn create(&mut self, name: &str, executable: bool) {
        self.files.push(File { executable, ..File::default() });
        self.live.insert(name.to_owned(), Node::File(self.files.len() - 1));
    }

    /// Makes the entries of a folder durable.
    pub fn sync_folder(&mut self, folder: &str) {
        let direct = |name: &&String| parent(name) == folder;
        let gone: Vec<String> = below(&self.durable, folder)
            .filter(direct)
            .filter(|name| !self.live.contains_key(*name))
            .cloned()
            .collect();
        for name in gone {
            self.durable.remove(&name);
        }
        for name in self.children(folder) {
            let node = self.live[&name];
            self.durable.insert(name, node);
        }
    }

    /// A bit flips in some file whose name begins with `folder`.
    pub fn rot(&mut self, folder: &str, number: u64) -> Option<String> {
        let is_filled = |name: &&String| match self.live.get(*name) {
            Some(Node::File(at)) => !self.files[*at].data.is_empty(),
            _ => false,
        };
        let filled: Vec<&String> = below(&self.live, folder).filter(is_filled).collect();
        let name = (*filled.get((number % filled.len().max(1) as u64) as usize)?).clone();
        self.rot_file(&name, number.rotate_right(17) ^ 0x5DEE_CE66);
        Some(name)
    }

    /// A bit flips in this file, if it has any.
    pub fn rot_file(&mut self, name: &str, number: u64) {
        let Some(file) = self.file_mut(name).filter(|file| !file.data.is_empty()) else { return };
        let mut data = (*file.data).clone();
        let at = (number % data.len() as u64) as usize;
        data[at] ^= 1 << ((number.rotate_right(17) ^ 0x5DEE_CE66) % 8);
        file.data = Arc::new(data);
        file.synced = Arc::clone(&file.data);
    }

    /// Power fails: for whatever was not synced, chance decides.
    pub fn lose_power(&mut self, chance: &mut Chance) {
        // Three in ten lose all, one in ten loses nothing, the rest something.
        let mood = chance.below(10);
        let keep = |chance: &mut Chance| match mood {
            0..3 => false,
            3 => true,
            _ => chance.coin(),
        };
        let mut left = BTreeMap::new();
        let names: std::collections::BTreeSet<&String> =
            self.live.keys().chain(self.durable.keys()).collect();
        for name in names {
            let (live, durable) = (self.live.get(name).copied(), self.durable.get(name).copied());
            let node = if live == durable || keep(chance) { live } else { durable };
            // What lies in a folder that is lost is lost.
            let reachable = parent(name).is_empty() || left.get(parent(name)) == Some(&Node::Folder);
            if let Some(node) = node.filter(|_| reachable) {
                left.insert(name.clone(), node);
            }
        }
        for file in &mut self.files {
            if file.data == file.synced {
                continue;
            }
            if !keep(chance) {
                file.data = Arc::clone(&file.synced);
            } else if chance.below(3) > 0 {
                let mut data = (*file.data).clone();
                let at = chance.below(data.len());
                if chance.coin() {
                    data.truncate(at);
                } else {
                    data[at..].fill(0);
                }
                file.data = Arc::new(data);
            }
            file.synced = Arc::clone(&file.data);
        }
        self.durable.clone_from(&left);
        self.live = left;
    }
}

fn below<'a>(names: &'a BTreeMap<String, Node>, folder: &str) -> impl Iterator<Item = &'a String> {
    let prefix = format!("{folder}/");
    names.range(prefix.clone()..).map(|(name, _)| name).take_while(move |name| name.starts_with(&prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(platter: &mut Platter, name: &str, text: &str, synced: bool) {
        platter.create(name, false);
        let file = platter.file_mut(name).unwrap();
        file.data = Arc::new(text.into());
        if synced {
            file.synced = Arc::clone(&file.data);
        }
    }

    #[test]
    fn what_was_synced_with_its_folder_survives_every_power_failure_and_nothing_else_surely_does() {
        let mut lost = [0; 3];
        for seed in 0..200 {
            let mut platter = Platter::new(&["/a"]);
            written(&mut platter, "/a/synced", "text", true);
            platter.sync_folder("/a");
            written(&mut platter, "/a/unsynced-entry", "text", true);
            written(&mut platter, "/a/unsynced-content", "text", false);
            platter.sync_folder("/a");
            platter.live.remove("/a/unsynced-entry");
            platter.live.insert("/a/new-folder".into(), Node::Folder);
            written(&mut platter, "/a/new-folder/x", "text", true);
            platter.sync_folder("/a/new-folder");
            platter.lose_power(&mut Chance::new(seed));
            assert_eq!(**platter.file("/a/synced").unwrap().data, *b"text");
            lost[0] += usize::from(platter.file("/a/unsynced-entry").is_none());
            lost[1] += usize::from(**platter.file("/a/unsynced-content").unwrap().data != *b"text");
            lost[2] += usize::from(platter.file("/a/new-folder/x").is_none());
        }
        assert!(lost.iter().all(|lost| (20..200).contains(lost)), "{lost:?}");
    }
}
