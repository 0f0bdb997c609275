//! A company with keys, a repository of releases, and people who have its app.
#![allow(dead_code, reason = "every test file uses its own part")]

use staysail_protocol::manifest::Manifest;
use staysail_update::bundle::Contents;
use staysail_update::disk::OsDisk;
use staysail_update::publisher::{self, Folder, Keys, Options, Role};
use staysail_update::trust::{Client, MetadataFolder, Web};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

pub struct Company {
    pub folder: tempfile::TempDir,
}

impl Company {
    /// With keys and one release.
    pub fn new(init: &[&str]) -> Self {
        let company = Self { folder: tempfile::tempdir().unwrap() };
        company.does(&[&["keys", "init", "--unencrypted"], init].concat());
        std::fs::create_dir(company.repository()).unwrap();
        company.publish("1.0.0", false).unwrap();
        company
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn repository(&self) -> PathBuf {
        self.path("repository")
    }

    pub fn keys(&self) -> Keys {
        Keys::at(&self.path("keys"))
    }

    pub fn command(&self, words: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_staysail"))
            .current_dir(self.folder.path())
            .env_remove("STAYSAIL_KEYS_PASSPHRASE")
            .args(words)
            .output()
            .unwrap()
    }

    pub fn does(&self, words: &[&str]) -> String {
        let output = self.command(words);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn fails(&self, words: &[&str], says: &str) {
        let output = self.command(words);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && errors.contains(says), "{words:?}: {errors}");
    }

    pub fn publish(&self, version: &str, resign: bool) -> Result<(), staysail_update::Error> {
        publish(&self.keys(), &self.repository(), version, resign)
    }

    pub fn install(&self) -> App {
        App {
            root: self.keys().root().unwrap(),
            repository: self.repository(),
            own: tempfile::tempdir().unwrap(),
        }
    }

    /// What a thief takes along.
    pub fn copy(&self, from: &str, to: &str) -> PathBuf {
        let to = self.path(to);
        copy(&self.path(from), &to);
        to
    }

    pub fn restore(&self, backup: &Path) {
        std::fs::remove_dir_all(self.repository()).unwrap();
        copy(backup, &self.repository());
    }

    pub fn lose(&self, role: Role) {
        for found in self.keys().of(role).unwrap() {
            std::fs::remove_file(found.path).unwrap();
        }
    }
}

pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else {
            std::fs::copy(path, to).unwrap();
        }
    }
}

pub fn publish(
    keys: &Keys,
    repository: &Path,
    version: &str,
    resign: bool,
) -> Result<(), staysail_update::Error> {
    publish_to("stable", keys, repository, version, resign)
}

pub fn publish_to(
    channel: &str,
    keys: &Keys,
    repository: &Path,
    version: &str,
    resign: bool,
) -> Result<(), staysail_update::Error> {
    let options = Options { channel: channel.into(), resign, ..Options::default() };
    publish_with(&options, keys, repository, version)
}

pub fn publish_with(
    options: &Options,
    keys: &Keys,
    repository: &Path,
    version: &str,
) -> Result<(), staysail_update::Error> {
    let source = tempfile::tempdir().unwrap();
    let file = source.path().join("file");
    std::fs::write(&file, version).unwrap();
    let manifest = Manifest {
        format: 1,
        app: "com.example.drill".into(),
        name: "Drill".into(),
        version: version.into(),
        protocol: (1, 1),
        ..Manifest::default()
    };
    let mut contents = Contents::new(manifest);
    contents.add_page("index.html", &file).unwrap();
    contents.add_backend(staysail_update::TARGET, "worker", &file).unwrap();
    publisher::publish(&Folder::open(repository)?, keys, contents, options, jiff::Timestamp::now())
        .map(|_| ())
}

pub struct App {
    pub root: Vec<u8>,
    pub repository: PathBuf,
    pub own: tempfile::TempDir,
}

impl App {
    /// The version the app is offered, or why it takes nothing.
    pub fn sees(&self) -> Result<String, String> {
        let address = |name: &str| format!("file://{}", self.repository.join(name).display());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let looked = runtime.block_on(async {
            let web = Web::new(&address("metadata"), Some(&address("targets")))?;
            let folder = MetadataFolder::new(self.own.path(), Arc::new(OsDisk));
            let mut client = Client::new(web, folder, &self.root)?;
            client.refresh(jiff::Timestamp::now()).await?;
            let target = client.find("releases/stable.json").await?.expect("a release");
            let manifest = Manifest::parse(&client.download(&target, 100_000).await?)?;
            Ok(manifest.version)
        });
        looked.map_err(|error: staysail_update::Error| error.to_string())
    }

    pub fn sees_version(&self, version: &str) {
        assert_eq!(self.sees().as_deref(), Ok(version));
    }
}

pub const TO: [&str; 2] = ["--to", "repository"];

pub fn renew(more: &[&'static str]) -> Vec<&'static str> {
    [&["repo", "renew"], &TO[..], more].concat()
}
