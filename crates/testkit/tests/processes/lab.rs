//! A repository behind a real server, installed apps, and what must hold of them.

use super::app::{MARK, VARIABLES};
use staysail_protocol::notice::UpdateEvent;
use staysail_server::{Options, Running};
use staysail_testkit::chance::Chance;
use staysail_testkit::faults::{Faults, Kind};
use staysail_testkit::model::{Model, known};
use staysail_testkit::world::{DAYS, OWN, World};
use staysail_update::Store;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Far longer than a life takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// How the app is to end.
#[derive(Debug, Clone, Copy)]
pub enum Life<'a> {
    /// When it has decided on what is published.
    Whole,
    /// At this moment, if it comes.
    Killed(&'a str),
    /// Like `Whole`, and it lists all moments that come.
    Listing,
}

/// How it ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    InOrder,
    Killed,
}

/// The repository on each day, each behind an address of its own.
pub struct Lab {
    folder: TempDir,
    urls: Vec<String>,
    _servers: Vec<Running>,
    _runtime: tokio::runtime::Runtime,
}

impl Lab {
    pub fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let folder =
            if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (mut urls, mut servers) = (Vec::new(), Vec::new());
        for day in 0..DAYS {
            let repository = folder.path().join(format!("day-{day}"));
            std::fs::create_dir(&repository).unwrap();
            for (name, content) in &World::get().days[day] {
                let path = repository.join(name);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, &**content).unwrap();
            }
            let options = Options { repository, listen: "127.0.0.1:0".into(), token: None };
            let server = runtime.block_on(staysail_server::start(options)).unwrap();
            urls.push(server.url());
            servers.push(server);
        }
        Self { folder, urls, _servers: servers, _runtime: runtime }
    }

    /// An app that was never started.
    pub fn installed(&self) -> App {
        let folder = tempfile::tempdir_in(self.folder.path()).unwrap();
        App { store: folder.path().join("store"), folder, urls: self.urls.clone(), model: Model::default() }
    }
}

/// Hash of the newest release on a day.
fn newest(day: usize) -> String {
    let world = World::get();
    let of_day = world.releases.iter().find(|(_, known)| known.sequence == day as u64 && day > 0);
    of_day.map_or(&world.embedded, |(hash, _)| hash).clone()
}

fn is_good(day: usize) -> bool {
    known(&newest(day)).is_some_and(|release| release.good)
}

/// An installed app, with what it is known to have been told.
pub struct App {
    folder: TempDir,
    store: PathBuf,
    urls: Vec<String>,
    model: Model,
}

impl App {
    /// Another one in the same state.
    pub fn clone_of(&self, lab: &Lab) -> Self {
        let copy = Self { model: self.model.clone(), ..lab.installed() };
        if self.store.exists() {
            let copied = Command::new("cp").arg("-a").args([&self.store, &copy.store]).status();
            assert!(copied.unwrap().success());
        }
        copy
    }

    fn start(&self, day: usize, life: Life) -> Process {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--ignored", "--exact", "the_app", "--nocapture"]);
        let values = [self.store.to_str().unwrap(), &self.urls[day], &newest(day)];
        command.envs(VARIABLES.into_iter().zip(values));
        match life {
            Life::Whole => command.env_remove("STAYSAIL_FAILPOINT"),
            Life::Killed(moment) => command.env("STAYSAIL_FAILPOINT", moment),
            Life::Listing => command.env("STAYSAIL_FAILPOINT", "list"),
        };
        let out = tempfile::NamedTempFile::new_in(self.folder.path()).unwrap();
        // Both at the end of one file, which outlives a kill.
        let open = || std::fs::File::options().append(true).open(out.path()).unwrap();
        command.stdin(Stdio::null()).stdout(open()).stderr(open());
        Process { child: command.spawn().unwrap(), out, day }
    }

    /// One life on a day of the repository. The laws are asserted on the way.
    pub fn live(&mut self, day: usize, life: Life) -> Ended {
        let (ended, said) = self.start(day, life).end();
        self.heed(&ended, &said);
        let trials = Store::open(&self.store).unwrap().state().trials;
        let left = is_good(day) && trials.contains_key(&newest(day));
        assert!(ended == Ended::Killed || !left, "day {day}: {trials:?}\n{said}");
        ended
    }

    /// The names of all moments of a life, each once.
    pub fn moments(&mut self, day: usize) -> Vec<String> {
        let (ended, said) = self.start(day, Life::Listing).end();
        self.heed(&ended, &said);
        let mut names: Vec<_> =
            said.lines().filter_map(|line| line.strip_prefix("failpoint ").map(str::to_owned)).collect();
        names.sort();
        names.dedup();
        names
    }

    /// Two at once.
    pub fn live_twice(&mut self, day: usize, lives: [Life; 2]) {
        let processes = lives.map(|life| self.start(day, life));
        for (process, life) in processes.into_iter().zip(lives) {
            let (ended, said) = process.end();
            assert!(!said.contains("app: broken"), "{said}");
            assert!(matches!(life, Life::Killed(_)) || ended == Ended::InOrder, "{said}");
            if is_good(day) && ended == Ended::InOrder {
                self.model.committed = Some(newest(day));
            }
        }
    }

    /// The newest good release of this day is what starts, and what is bad was told so.
    pub fn is_at(&mut self, day: usize) {
        let (world, release) = (World::get(), newest(day));
        let store = Store::open(&self.store).unwrap();
        let booted = store.boot(&store.embed(&world.attached).unwrap(), Some(&world.root)).release;
        self.model.booted(booted.hash(), false, Kind::Killed, |_| false);
        assert_eq!(self.model.broken, None);
        assert_eq!(booted.hash() == release, is_good(day), "day {day}: {booted:?}");
        // By its mark, if the process was killed before the state said it, too.
        assert_eq!(store.is_banned(&release), !is_good(day), "day {day}: {:?}", store.state());
    }

    /// Lets the model judge what a process said and left.
    fn heed(&mut self, ended: &Ended, said: &str) {
        let faults = Faults::new(Kind::Killed, 1, Chance::new(0), false);
        for line in said.lines().filter_map(|line| line.strip_prefix(MARK)) {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            match word {
                "boots" => self.model.booted(rest, false, Kind::Killed, |_| false),
                "applying" => self.model.applying(rest, &faults),
                "tries" => self.model.tried(rest, &faults),
                "broken" => self.model.broke("in the app", rest),
                "told" => {
                    let event: UpdateEvent = serde_json::from_str(rest).unwrap();
                    assert!(!matches!(event, UpdateEvent::Failed { .. }), "{said}");
                    self.model.told(&event, Kind::None);
                }
                _ => {}
            }
        }
        let state = Store::open(&self.store).unwrap().state();
        self.model.ended(*ended == Ended::Killed, *ended != Ended::Killed, &state.trials);
        self.model.floor_is(OWN, state.floor, Kind::Killed);
        self.model.bans_are(state.banned.keys());
        assert_eq!(self.model.broken, None, "{said}");
    }
}

struct Process {
    child: Child,
    out: tempfile::NamedTempFile,
    day: usize,
}

impl Process {
    fn end(mut self) -> (Ended, String) {
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if begun.elapsed() > PATIENCE {
                let _ = self.child.kill();
                let _ = self.child.wait();
                panic!("day {}: no end\n{}", self.day, std::fs::read_to_string(self.out.path()).unwrap());
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let said = std::fs::read_to_string(self.out.path()).unwrap();
        match status.signal() {
            Some(9) => (Ended::Killed, said),
            _ if said.contains("app: ends") && status.success() => (Ended::InOrder, said),
            _ => panic!("day {}: {status}\n{said}", self.day),
        }
    }
}
