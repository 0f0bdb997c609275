//! The app: a process of its own with the real engine over the real disk and a real network. This test's executable is its
//! executable, too; it is told by the environment that it is the app.

use staysail_protocol::manifest::UpdateSource;
use staysail_protocol::notice::UpdateEvent;
use staysail_testkit::host::look_at;
use staysail_testkit::model::{Model, known};
use staysail_testkit::world::{EPOCH, World};
use staysail_update::disk::OsDisk;
use staysail_update::engine::{ApplyFuture, Host, HostFuture, RateLimit, Surroundings, network};
use staysail_update::{Engine, Release, Store};
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;

/// Folder of its store, address of its repository, and the release after which it ends.
pub const VARIABLES: [&str; 3] = ["KILLED_APP_STORE", "KILLED_APP_URL", "KILLED_APP_UNTIL"];
/// Begins each line that is meant for the one who started it.
pub const MARK: &str = "app: ";

/// Between two looks at something that tells nobody.
const PAUSE: Duration = Duration::from_millis(5);

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // In one piece: two of these lines never mix, and what was said before a kill stays said.
    let _ = out.write_all(format!("\n{MARK}{line}\n").as_bytes());
    let _ = out.flush();
}

/// Law 3, for everything the release hands out.
fn look(release: &Release) -> Result<(), staysail_update::Error> {
    let model = Mutex::new(Model::default());
    look_at(release, &OsDisk, &model)?;
    if let Some(broken) = &model.lock().unwrap().broken {
        say(&format!("broken {broken}"));
    }
    Ok(())
}

struct Shell {
    live: Mutex<Option<Release>>,
    until: String,
    done: Notify,
}

impl Shell {
    fn is_last(&self, version: &str) -> bool {
        known(&self.until).is_some_and(|known| known.version == version)
    }
}

impl Host for Shell {
    fn apply(&self, release: Release) -> ApplyFuture<'_> {
        Box::pin(async move {
            say(&format!("applying {}", release.hash()));
            look(&release)?;
            say(&format!("tries {}", release.hash()));
            *self.live.lock().unwrap() = Some(release);
            Ok(1.0)
        })
    }

    fn probation(&self) -> HostFuture<'_, ()> {
        Box::pin(async move {
            let live = self.live.lock().unwrap();
            let good = live.as_ref().and_then(|live| known(live.hash())).is_some_and(|known| known.good);
            if good { Ok(()) } else { Err("it fails".into()) }
        })
    }

    fn event(&self, event: UpdateEvent) {
        say(&format!("told {}", serde_json::to_string(&event).unwrap()));
        match &event {
            UpdateEvent::Committed { version } | UpdateEvent::RolledBack { version, .. }
                if self.is_last(version) =>
            {
                self.done.notify_one();
            }
            UpdateEvent::Failed { .. } => self.done.notify_one(),
            _ => {}
        }
    }
}

/// Another instance of the app may find out first that a release is bad, and then nothing is told here.
async fn banned_by_another(store: &Store, shell: &Shell) {
    while !store.is_banned(&shell.until) || shell.live.lock().unwrap().is_some() {
        tokio::time::sleep(PAUSE).await;
    }
}

/// Runs the app, if this process is one.
pub async fn run() {
    let [Some(store), Some(url), Some(until)] = VARIABLES.map(|name| std::env::var(name).ok()) else {
        return;
    };
    let world = World::get();
    let store = Store::open(Path::new(&store)).unwrap();
    let embedded = store.embed(&world.attached).unwrap();
    let current = store.boot(&embedded, Some(&world.root)).release;
    say(&format!("boots {}", current.hash()));
    look(&current).unwrap();
    if current.hash() == until || store.is_banned(&until) {
        return say("ends");
    }
    let shell = Arc::new(Shell { live: Mutex::default(), until, done: Notify::new() });
    let surroundings = Surroundings {
        clock: Arc::new(|| EPOCH.parse().unwrap()),
        chance: || 128,
        network: network::connect(&url).unwrap(),
        rate: RateLimit::default(),
    };
    let source = UpdateSource { url, check_interval_s: 3_600, ..UpdateSource::default() };
    let host = Arc::clone(&shell) as Arc<dyn Host>;
    let banned = store.clone();
    let engine = Engine::start_in(store, source, world.root.clone(), current, host, surroundings);
    tokio::select! {
        () = shell.done.notified() => {}
        () = banned_by_another(&banned, &shell) => {}
    }
    engine.shut_down();
    // Until the engine has let go of its host: it does not end in the middle of something.
    while Arc::strong_count(&shell) > 1 {
        tokio::time::sleep(PAUSE).await;
    }
    say("ends");
}
