//! `[assets.groups]`: which files of the page are fetched when they are first asked for.

use crate::project::{AssetGroup, Project};
use anyhow::{Result, bail};
use ignore::gitignore::Gitignore;
use staysail_update::bundle::Contents;
use std::collections::BTreeMap;
use std::path::Path;

/// The groups of a project.
pub struct Groups<'a> {
    matchers: Vec<(&'a str, Gitignore)>,
    declared: &'a BTreeMap<String, AssetGroup>,
}

impl<'a> Groups<'a> {
    /// Those of a project, whose file was checked.
    pub fn of(project: &'a Project) -> Result<Self> {
        let declared = &project.config.assets.groups;
        let matchers = declared
            .iter()
            .map(|(name, group)| Ok((name.as_str(), group.matcher().map_err(anyhow::Error::msg)?)))
            .collect::<Result<_>>()?;
        Ok(Self { matchers, declared })
    }

    /// Adds a file of the page: to the group whose patterns it fits, or to what is shipped.
    pub fn add(&self, contents: &mut Contents, path: &str, file: &Path) -> Result<()> {
        let fits = |matcher: &Gitignore| matcher.matched_path_or_any_parents(path, false).is_ignore();
        let fitting: Vec<&str> =
            self.matchers.iter().filter(|(_, matcher)| fits(matcher)).map(|(name, _)| *name).collect();
        match fitting[..] {
            [] => contents.add_page(path, file)?,
            [group] if path == "index.html" => bail!(
                "index.html is in the asset group `{group}`, but the page has to be there before anything can be fetched.\n  Leave it out: `files = [\"…\", \"!index.html\"]`."
            ),
            [group] => contents.add_to_group(group, path, file)?,
            [one, other, ..] => bail!(
                "{path} is in the asset groups `{one}` and `{other}`.\n  Change the patterns in [assets.groups] so that it is in one of them."
            ),
        }
        Ok(())
    }

    /// Says when each group is fetched. A group without files is a mistake.
    pub fn finish(&self, contents: &mut Contents, dist: &Path) -> Result<()> {
        for (name, declared) in self.declared {
            let Some(group) = contents.manifest.groups.get_mut(name) else {
                bail!(
                    "the asset group `{name}` has no file: nothing in {} fits {:?}.\n  Correct its `files` in [assets.groups.{name}]; patterns are those of a .gitignore, from that folder on.",
                    dist.display(),
                    declared.files
                );
            };
            group.prefetch = declared.prefetch;
            group.files.sort_by_cached_key(|entry| declared.place(&entry.path));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::{Mode, Project};

    fn sorted(groups: &str, files: &[&str]) -> Result<BTreeMap<String, Vec<String>>, String> {
        let folder = tempfile::tempdir().unwrap();
        let text = format!("[app]\nid = \"com.example.hello\"\n{groups}");
        std::fs::write(folder.path().join("staysail.toml"), text).unwrap();
        for path in files {
            let file = folder.path().join("frontend").join(path);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, *path).unwrap();
        }
        let project = Project::find(Some(folder.path()), Mode::Production).unwrap();
        let mut contents = Contents::default();
        let groups = Groups::of(&project).map_err(|error| error.to_string())?;
        let added = super::super::add_page(&mut contents, &groups, &project.dist(), "")
            .and_then(|()| groups.finish(&mut contents, &project.dist()));
        added.map_err(|error| error.to_string())?;
        let paths = |files: &[staysail_protocol::manifest::FileEntry]| {
            files.iter().map(|entry| entry.path.clone()).collect::<Vec<_>>()
        };
        let in_groups =
            contents.manifest.groups.iter().map(|(name, group)| (name.clone(), paths(&group.files)));
        Ok(in_groups.chain([(String::new(), paths(&contents.manifest.page))]).collect())
    }

    #[test]
    fn files_go_into_the_group_whose_patterns_they_fit() {
        let groups = "[assets.groups.maps]\nfiles = [\"maps/**\", \"!maps/world.bin\"]\n\
                      [assets.groups.music]\nfiles = [\"*.ogg\"]\nprefetch = \"idle\"\n";
        let files = ["index.html", "maps/a/b.bin", "maps/world.bin", "sound/x.ogg", "sound/x.js"];
        let sorted = sorted(groups, &files).unwrap();
        assert_eq!(sorted["maps"], ["maps/a/b.bin"]);
        assert_eq!(sorted["music"], ["sound/x.ogg"]);
        assert_eq!(sorted[""], ["index.html", "maps/world.bin", "sound/x.js"]);
    }

    #[test]
    fn files_of_a_group_come_in_the_order_of_the_patterns_they_fit() {
        let groups = "[assets.groups.maps]\nfiles = [\"maps/overview.*\", \"maps/b/**\", \"maps/**\"]\n";
        let files = ["maps/a.bin", "maps/b/2.bin", "maps/b/1.bin", "maps/overview.bin", "maps/z.bin"];
        let expected = ["maps/overview.bin", "maps/b/1.bin", "maps/b/2.bin", "maps/a.bin", "maps/z.bin"];
        assert_eq!(sorted(groups, &files).unwrap()["maps"], expected);
    }

    #[test]
    fn groups_that_can_not_be_meant_are_refused() {
        let files = ["index.html", "maps/a.bin"];
        for (groups, part) in [
            ("[assets.groups.maps]\nfiles = [\"charts/**\"]\n", "`maps` has no file"),
            ("[assets.groups.all]\nfiles = [\"*\"]\n", "index.html is in the asset group `all`"),
            (
                "[assets.groups.a]\nfiles = [\"maps/**\"]\n[assets.groups.b]\nfiles = [\"*.bin\"]\n",
                "maps/a.bin is in the asset groups `a` and `b`",
            ),
        ] {
            let refused = sorted(groups, &files).unwrap_err();
            assert!(refused.contains(part), "{refused}");
        }
    }
}
