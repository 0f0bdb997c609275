//! The two ways a shell starts: by the development tool, or as a built app with its first release attached.

use crate::app;
use crate::asset_groups::prefetch;
use crate::desktop::app::{Start, started};
use crate::dev;
use crate::instance::{self, Entry, Handover};
use crate::live::{Live, NO_ROOT};
use crate::module::{self, Role};
use crate::platform::machine;
use crate::shell::{Facts, Shell};
use staysail_protocol::control::CONTROL_VARIABLE;
use staysail_protocol::limits;
use staysail_update::Archive;
use staysail_update::bundle::Attached;
use staysail_update::engine::{Engine, OnDemand, RateLimit};
use staysail_update::store::Store;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Runs the shell to its end.
///
/// # Errors
/// A sentence for people, when nothing could be shown at all.
pub fn launch() -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .thread_name("staysail-shell")
        .build()
        .map_err(|error| format!("no threads could be started: {error}"))?;
    let _inside = runtime.enter();
    match std::env::var(CONTROL_VARIABLE) {
        Ok(address) => {
            // SAFETY: no other thread reads the environment yet but those of the runtime, which do not.
            unsafe { std::env::remove_var(CONTROL_VARIABLE) };
            let patience = Duration::from_millis(limits::HELLO_TIMEOUT_MS);
            let connection = runtime
                .block_on(async { tokio::time::timeout(patience, dev::connect(&address)).await })
                .map_err(|_| "the development tool did not say what to show in time".to_string())??;
            let facts = connection.facts();
            start_log(&facts.config.log);
            let begin = Start { handover: Handover::of_this_start(), ..Start::default() };
            if connection.no_window() {
                let (end, ui) = app::without_windows();
                let shell = Shell::new(ui, runtime.handle().clone(), facts);
                shell.application.begin(begin);
                connection.serve(shell.clone());
                app::run_without_windows(&end, &shell);
            }
            let (event_loop, ui) = app::event_loop()?;
            let shell = Shell::new(ui, runtime.handle().clone(), facts);
            shell.application.begin(begin);
            connection.serve(shell.clone());
            app::run(event_loop, shell)
        }
        Err(_) => production(&runtime),
    }
}

/// The name of the executable the user knows, also where a shell of a release runs in its place. To be asked before [`launch`].
pub fn program() -> String {
    let executable = module::installed().or_else(|| std::env::current_exe().ok()).unwrap_or_default();
    let name = executable.file_name().unwrap_or_default().to_string_lossy();
    name.strip_suffix(std::env::consts::EXE_SUFFIX).unwrap_or(&name).to_owned()
}

fn production(runtime: &tokio::runtime::Runtime) -> Result<(), String> {
    let executable =
        std::env::current_exe().map_err(|error| format!("this program can not find itself: {error}"))?;
    // Arguments of an app are the app's own; only the bare shell has one.
    let Some(Role { executable, attached, given }) = Role::of(executable)? else { return bare() };
    start_log(&attached.manifest.config.log);
    let app = attached.manifest.app.clone();
    let folder = data_folder(&app);
    let store = open_store(&folder)?;
    let embedded = store
        .embed(&attached)
        .map_err(|error| format!("the app's files can not be put into {}: {error}", folder.display()))?;
    let module = module::enter(&store, &embedded, &executable, attached.root.as_deref(), given);
    let mut handover = Handover::of_this_start();
    let to_apply = handover.to_apply().map(|file| check(&file, &attached)).transpose()?;
    let mut instance = None;
    if attached.manifest.desktop.single_instance {
        match instance::enter(&app, &handover)? {
            Entry::First(first) => instance = Some(first),
            Entry::HandedOver => return Ok(()),
        }
    }
    let (boot, begun) = module::begin(&store, &embedded, attached.root.as_deref(), module.as_ref());
    if let Some(reason) = &boot.fallback_reason {
        tracing::warn!(reason, version = boot.release.manifest().version, "starting an older version");
    }
    let desktop = boot.release.manifest().desktop.clone();
    if instance.is_none() && desktop.single_instance {
        // Declared by a release that came after the installation.
        match instance::enter(&app, &handover)? {
            Entry::First(first) => instance = Some(first),
            Entry::HandedOver => return Ok(()),
        }
    }
    if to_apply.is_some() {
        // They were not for the app, nor for its next start.
        handover.arguments.clear();
    }
    let data_dir = folder.join("data");
    std::fs::create_dir_all(&data_dir)
        .map_err(|error| format!("{} can not be made: {error}", data_dir.display()))?;
    let facts = Facts {
        app: attached.manifest.app.clone(),
        name: attached.manifest.name.clone(),
        version: boot.release.manifest().version.clone(),
        config: boot.release.manifest().config.clone(),
        data_dir: data_dir.display().to_string(),
        dev_url: None,
        driven: false,
    };
    let (event_loop, ui) = app::event_loop()?;
    let shell = Shell::new(ui, runtime.handle().clone(), facts);
    #[cfg(unix)]
    crate::platform::signals::heed(&shell);
    shell.application.begin(Start {
        id: app,
        executable: Some(installed(executable)),
        handover: handover.clone(),
    });
    if let Some(instance) = instance {
        shell.application.hold(Box::new(instance.serve(&shell)?));
    }
    let start = module.map(|module| module.hold(&shell));
    let begun = begun.map(|begun| begun.hold(&shell));
    started(&shell, handover, &desktop.opens);
    let shell_then = shell.clone();
    let rate = RateLimit::new(attached.source.as_ref().and_then(|source| source.download_bytes_per_s_max));
    shell.groups.fetch_with(OnDemand::new(store.clone(), attached.source.clone(), rate.clone()));
    let live = Live::new(shell.clone(), boot.release);
    to_apply.into_iter().for_each(|archive| live.apply_archive(archive));
    runtime.spawn(async move {
        let Attached { source, root, .. } = attached;
        live.start(&store, &embedded, root.as_deref(), (start.as_deref(), begun.as_deref())).await;
        let probation_s = live.current().manifest().config.probation_s;
        module::watch(start, begun, probation_s);
        let engine = source
            .zip(root)
            .map(|(source, root)| Engine::start(store, source, root, live.current(), live.clone(), rate));
        live.set_engine(engine);
        prefetch(shell_then, machine::metered).await;
    });
    app::run(event_loop, shell)
}

/// Reads the file that is to be applied. Why it can not be is said here, where somebody waits for it, and before any window.
fn check(file: &Path, attached: &Attached) -> Result<Archive, String> {
    let root = attached.root.as_deref().ok_or(NO_ROOT)?;
    let archive = Archive::open(file).map_err(|error| error.to_string())?;
    let store = open_store(&data_folder(&attached.manifest.app))?;
    let installed = store.embed(attached).map_err(|error| error.to_string())?;
    let fit = wait(archive.check_now(&store, root, &installed)).map_err(|error| error.to_string())?;
    let when = if fit.next_start { " when the app is next started" } else { "" };
    println!("version {} is applied{when}", fit.version);
    Ok(archive)
}

/// Waits on this thread. The runtime's own way would be there a second time for this, with all its schedulers.
fn wait<T>(mut future: Pin<Box<dyn Future<Output = T> + Send + '_>>) -> T {
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return value;
        }
        std::thread::park();
    }
}

/// The shell without an app: it tells its version, and otherwise what it is.
fn bare() -> Result<(), String> {
    if std::env::args().nth(1).as_deref() == Some("--version") {
        println!("staysail-shell {}", env!("CARGO_PKG_VERSION"));
        return Ok(());
    }
    Err("this is Staysail's bare shell, no app is attached to it; it is started by `staysail dev`, and `staysail \
         build` makes an app of it"
        .into())
}

/// What the system starts: the file the user has. Inside an AppImage that is the image, not what is mounted of it.
fn installed(executable: PathBuf) -> PathBuf {
    let image = std::env::var_os("APPIMAGE").map(PathBuf::from);
    image.filter(|image| image.is_absolute() && image.is_file()).unwrap_or(executable)
}

/// The store in the user's folder; in a temporary one when that can not be written, so that the app starts all the
/// same (law 6). Updates are then fetched again at the next start.
fn open_store(folder: &Path) -> Result<Store, String> {
    match Store::open(&folder.join("staysail")) {
        Ok(store) => Ok(store),
        Err(error) => {
            tracing::error!(%error, "the app's folder can not be used; running from a temporary one");
            let temporary = std::env::temp_dir().join(format!("staysail-{}", crate::secret::token()));
            Store::open(&temporary).map_err(|second| {
                format!(
                    "neither {} nor {} can be written: {error}; {second}",
                    folder.display(),
                    temporary.display()
                )
            })
        }
    }
}

fn start_log(filter: &str) {
    // Levels by target. Filters by the values of fields, too, would link an engine for regular expressions.
    let filter = filter.parse().unwrap_or_else(|_| Targets::new().with_default(LevelFilter::INFO));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let _ = tracing_subscriber::registry().with(lines).with(filter).try_init();
}

/// The app's own folder: `$XDG_DATA_HOME/<id>` and its equivalents.
fn data_folder(app: &str) -> PathBuf {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = if cfg!(windows) {
        variable("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        variable("HOME").map(|home| home.join("Library/Application Support"))
    } else {
        variable("XDG_DATA_HOME").or_else(|| variable("HOME").map(|home| home.join(".local/share")))
    };
    base.unwrap_or_else(std::env::temp_dir).join(app)
}
