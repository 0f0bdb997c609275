//! How a watch is set up, and the handle to one that runs.

use crate::event::Report;
use crate::notifier::Notifier;
use crate::rules::{Rules, Select};
use crate::run::{Input, run};
use crate::scan::Scan;
use staysail_protocol::limits;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

/// Why a watch could not begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is nothing at a path that is to be watched.
    #[error("{} does not exist; nothing is watched. Correct the path, or make it first", .0.display())]
    Missing(PathBuf),
    /// What is at the path can not be watched or read.
    #[error("{} can not be watched: {source}; nothing is watched", path.display())]
    Unreadable {
        /// The path.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The watch's thread could not be started.
    #[error("the watch could not be started: {0}; nothing is watched. Close other programs and try again")]
    Thread(std::io::Error),
}

/// What is to be watched and how. See the [crate's example](crate).
pub struct Watcher {
    pub(crate) roots: Vec<PathBuf>,
    pub(crate) also: Vec<PathBuf>,
    pub(crate) select: Option<Box<dyn Select>>,
    pub(crate) settings: Settings,
}

/// The numbers and switches of a watch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    pub poll: bool,
    pub quiet: Duration,
    pub interval: Duration,
    pub follow: bool,
    pub split_renames: bool,
    pub eager: bool,
    pub initial: bool,
}

impl Watcher {
    /// Watches these folders with everything below, and these files.
    pub fn new<P: Into<PathBuf>>(paths: impl IntoIterator<Item = P>) -> Self {
        Self {
            roots: paths.into_iter().map(Into::into).collect(),
            also: Vec::new(),
            select: None,
            settings: Settings {
                poll: false,
                quiet: Duration::from_millis(limits::WATCH_QUIET_MS),
                interval: Duration::from_millis(limits::WATCH_POLL_MS),
                follow: false,
                split_renames: false,
                eager: false,
                initial: false,
            },
        }
    }

    /// Watches these files as well, until [`Watch::also`] tells others. One that does not exist is none.
    #[must_use]
    pub fn also(mut self, files: impl IntoIterator<Item = PathBuf>) -> Self {
        self.also.extend(files);
        self
    }

    /// Which files count; [`Rules`] for the paths when nothing is set. Watched files always count.
    #[must_use]
    pub fn select(mut self, select: impl Select + 'static) -> Self {
        self.select = Some(Box::new(select));
        self
    }

    /// Looks at files in intervals and does not use the system's events.
    #[must_use]
    pub fn poll(mut self, yes: bool) -> Self {
        self.settings.poll = yes;
        self
    }

    /// How long nothing must happen before events are reported (25 ms).
    #[must_use]
    pub fn quiet(mut self, time: Duration) -> Self {
        self.settings.quiet = time;
        self
    }

    /// Pause between two looks, where files are looked at in intervals (300 ms).
    #[must_use]
    pub fn interval(mut self, time: Duration) -> Self {
        self.settings.interval = time;
        self
    }

    /// Goes into folders behind links and compares files behind links.
    #[must_use]
    pub fn follow_links(mut self, yes: bool) -> Self {
        self.settings.follow = yes;
        self
    }

    /// Tells a rename as `unlink` and `add` of every file, for those who only need to know which files to read again.
    #[must_use]
    pub fn split_renames(mut self, yes: bool) -> Self {
        self.settings.split_renames = yes;
        self
    }

    /// Reports a file that was replaced whole, by a rename over it, without waiting for the quiet time.
    #[must_use]
    pub fn eager(mut self, yes: bool) -> Self {
        self.settings.eager = yes;
        self
    }

    /// Reports what is there at the start as `addDir` and `add`, before [`Report::Ready`].
    #[must_use]
    pub fn initial(mut self, yes: bool) -> Self {
        self.settings.initial = yes;
        self
    }

    /// Begins; returns when everything that is there is known. What `report` is called with happened after that.
    ///
    /// # Errors
    /// When a path does not exist or can not be read. Nothing is watched then.
    pub fn start(self, report: impl FnMut(Report) + Send + 'static) -> Result<Watch, Error> {
        let (inputs, inbox) = channel();
        let mut roots = Vec::new();
        for path in &self.roots {
            let unreadable = |source| Error::Unreadable { path: path.clone(), source };
            let absolute = std::path::absolute(path).map_err(unreadable)?;
            match std::fs::metadata(&absolute) {
                Ok(facts) if facts.is_dir() => drop(std::fs::read_dir(&absolute).map_err(unreadable)?),
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    return Err(Error::Missing(path.clone()));
                }
                Err(error) => return Err(unreadable(error)),
            }
            roots.push(without_dots(&absolute));
        }
        let folders: Vec<PathBuf> = roots.iter().filter(|path| path.is_dir()).cloned().collect();
        let select = self.select.unwrap_or_else(|| Box::new(Rules::new(&folders)));
        let sender = inputs.clone();
        let opened = if self.settings.poll {
            Ok(Notifier::default())
        } else {
            Notifier::open(move |event| drop(sender.send(Input::Event(event))))
        };
        let mut scan = Scan::new(roots, select, self.settings, opened);
        scan.begin();
        scan.also(self.also);
        std::thread::Builder::new()
            .name("watch".into())
            .spawn(move || run(scan, &inbox, report))
            .map_err(Error::Thread)?;
        Ok(Watch { inputs })
    }
}

/// Takes `.` and `..` out of a path as it is written, so that it compares with what the system says.
fn without_dots(path: &Path) -> PathBuf {
    use std::path::Component;
    if !path.components().any(|part| part == Component::ParentDir) {
        return path.components().collect();
    }
    // A folder before `..` may be a link; only the system knows what is above its target.
    let mut known = PathBuf::new();
    for part in path.components() {
        if part == Component::ParentDir {
            known = std::fs::canonicalize(&known).unwrap_or(known);
            known.pop();
        } else {
            known.push(part);
        }
    }
    known
}

/// A running watch. Dropping it ends it.
#[derive(Debug)]
pub struct Watch {
    inputs: Sender<Input>,
}

impl Watch {
    /// Watches these files as well, wherever they are, in place of those told before. What is there by then is not
    /// reported.
    pub fn also(&self, files: impl IntoIterator<Item = PathBuf>) {
        let _ = self.inputs.send(Input::Also(files.into_iter().collect()));
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // The system's notification holds the other end of the channel, so closing ours says nothing.
        let _ = self.inputs.send(Input::End);
    }
}
