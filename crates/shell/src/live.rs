//! A published release goes live in the running app, and back out of it when it proves bad.
//!
//! # Theory of operation
//! [`Live`] is the update engine's host. `apply` exchanges worker and page files in one switch: the worker through
//! the [`Conductor`](crate::conductor), the files in the moment between the last call to the old worker and the
//! first to the new one, then the pages are loaded again with their state. `probation` waits until the pages have
//! come up and the worker has proved itself. Whichever fails, both go back together (law 7), and the pages are
//! loaded again from the files of before.

use crate::app::Wish;
use crate::assets::Source;
use crate::conditions::{self, Questions};
use crate::conductor::modules::Exchanged;
use crate::conductor::shadow::{self, report::Report, tally::Gate};
use crate::conductor::{Refusal, SwapOptions};
use crate::pages::Expected;
use crate::reload;
use crate::shell::{Observer, Shell};
use crate::wasm::Modules;
use crate::worker::Launch;
use staysail_protocol::bridge::{Overlay, PageEvent, PageReport};
use staysail_protocol::manifest::Manifest;
use staysail_protocol::notice::UpdateEvent;
use staysail_protocol::policy::Live as When;
use staysail_protocol::worker::{ToWorker, UpdateWish, WorkerConfig};
use staysail_update::engine::{ApplyFuture, EngineHandle, Host, HostFuture, NotApplied, ShadowFuture};
use staysail_update::policy::Facts;
use staysail_update::store::shell::ShellStart;
use staysail_update::store::{Release, ReleaseStart, Store};
use staysail_update::{Archive, awake};
use std::collections::BTreeSet;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Said when a file is to be applied to an app that can not verify it.
pub const NO_ROOT: &str = "this app was built without a trust root ([update] in staysail.toml), so no release can be verified; \
                           nothing was changed";
/// Wishes about updates that are kept until the engine runs.
const EARLY_WISHES_MAX: usize = 16;

type Verdict = oneshot::Receiver<Result<(), String>>;

/// A release between its switch and the end of its probation.
struct Trial {
    before: Release,
    /// The page loads it began; absent when the pages were not loaded again.
    loads: Option<Expected>,
    /// Style sheets it exchanged in place.
    styles: Vec<String>,
    /// Of the worker; absent when it was not exchanged.
    verdict: Option<Verdict>,
    /// The modules that the worker was given while it ran.
    modules: Option<Exchanged>,
}

/// The update engine's host. See the module's theory of operation.
pub struct Live {
    shell: Arc<Shell>,
    current: Mutex<Release>,
    trial: Mutex<Option<Trial>>,
    /// Absent until the app has come up; `None` in it when the app has no source of updates.
    engine: OnceLock<Option<EngineHandle>>,
    /// Wishes that came before.
    early_wishes: Mutex<Vec<UpdateWish>>,
    questions: Questions,
    /// A file to apply that came before.
    early_archive: Mutex<Option<Archive>>,
}

/// What of the page differs between two releases.
#[derive(Debug, PartialEq, Eq)]
enum PageChange {
    Nothing,
    /// Only style sheets, by their paths below the origin.
    Styles(Vec<String>),
    Files,
}

impl Live {
    /// A host that shows `current`.
    pub fn new(shell: Arc<Shell>, current: Release) -> Arc<Self> {
        let live = Arc::new(Self {
            shell: shell.clone(),
            current: Mutex::new(current),
            trial: Mutex::default(),
            engine: OnceLock::new(),
            early_wishes: Mutex::default(),
            questions: Questions::default(),
            early_archive: Mutex::default(),
        });
        shell.set_observer(Arc::new(ProductionObserver { live: Arc::downgrade(&live) }));
        live
    }

    /// Where wishes about updates go: nowhere when the app has no source of them.
    pub fn set_engine(&self, engine: Option<EngineHandle>) {
        let _ = self.engine.set(engine);
        let early =
            std::mem::take(&mut *self.early_wishes.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        early.into_iter().for_each(|wish| self.wish(wish));
        let archive = self.early_archive().take();
        archive.into_iter().for_each(|archive| self.apply_archive(archive));
    }

    fn early_archive(&self) -> MutexGuard<'_, Option<Archive>> {
        self.early_archive.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Applies the release in a file, now or when the app has come up.
    pub fn apply_archive(&self, archive: Archive) {
        match self.engine.get() {
            Some(Some(engine)) => engine.apply_archive(archive),
            Some(None) => tracing::error!("{NO_ROOT}"),
            None => *self.early_archive() = Some(archive),
        }
    }

    fn wish(&self, wish: UpdateWish) {
        if let UpdateWish::Conditions { id, values } = wish {
            return self.questions.answered(id, values);
        }
        match self.engine.get() {
            Some(Some(engine)) => engine.wish(wish),
            Some(None) => tracing::info!(?wish, "this app has no [update] source; the wish has no effect"),
            None => {
                let mut early = self.early_wishes.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                if early.len() < EARLY_WISHES_MAX {
                    early.push(wish);
                }
            }
        }
    }

    /// The release that is live.
    pub fn current(&self) -> Release {
        self.current.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Starts the app: windows at once, the worker of `boot`, and when it or its page does not come up, the next
    /// best release of the store.
    pub async fn start(
        self: &Arc<Self>,
        store: &Store,
        embedded: &Release,
        root: Option<&[u8]>,
        (module, begun): (Option<&ShellStart>, Option<&ReleaseStart>),
    ) {
        self.show(&self.current());
        let mut passed = Vec::new();
        let mut loads: Expected =
            self.current().manifest().windows.iter().map(|window| (window.label.clone(), 1)).collect();
        loop {
            let release = self.current();
            let Err(failure) = self.come_up(&release, &loads).await else {
                begun.into_iter().for_each(ReleaseStart::is_up);
                return module.into_iter().for_each(ShellStart::is_up);
            };
            begun.into_iter().for_each(ReleaseStart::passed_over);
            let (reason, at_fault) = match failure {
                NotApplied::AtFault(reason) => (reason, true),
                NotApplied::NotNow(reason) => (reason, false),
            };
            tracing::error!(version = release.manifest().version, reason, "this version does not start");
            // What ran in the shell before does not start in this one.
            let of_module = at_fault && module.is_some_and(|module| module.blame(&reason));
            if release.hash() == embedded.hash() {
                // Whoever is at fault: in the installed shell it came up once.
                let _ = module.is_some_and(|module| module.blame(&reason));
                // Its backend serves, and there is nothing to go back to: a page that is late may come yet.
                if !self.is_worker_of(&release) {
                    self.nothing_starts(&reason);
                }
                return;
            }
            if at_fault && !of_module {
                store.bad_start(&release, &reason);
            }
            passed.push(release.hash().to_owned());
            let next = store.boot_without(&passed, embedded, root).release;
            self.event(UpdateEvent::RolledBack {
                version: release.manifest().version.clone(),
                to: next.manifest().version.clone(),
                reason,
            });
            self.show(&next);
            *self.current.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = next;
            loads.extend(reload::all(&self.shell));
        }
    }

    async fn come_up(&self, release: &Release, loads: &Expected) -> Result<(), NotApplied> {
        let swapped = self.shell.conductor.swap(&self.shell, launch(release)?, SwapOptions::default());
        swapped.await.map_err(not_applied)?;
        let timeout = self.shell.facts().config.page_ready_timeout_ms;
        Ok(self.shell.pages.wait_ready(loads, Duration::from_millis(timeout)).await?)
    }

    fn nothing_starts(&self, reason: &str) {
        self.shell.router.give_up(reason);
        self.shell.show_overlay(Some(Overlay {
            kind: "crash_loop".into(),
            title: "The backend does not start".into(),
            detail: format!("{reason}\n\n{}", self.shell.recent_log()),
            advice: "Try again, or install the app anew. A repaired version is taken over by itself.".into(),
            retry: true,
            fresh: false,
        }));
    }

    /// Makes `release` the one whose files, version and configuration are live.
    fn show(&self, release: &Release) {
        show(&self.shell, release, false);
    }

    /// Compares answers of the release's backend with those of the one that serves, where it is another one.
    async fn rehearse(&self, release: Release) -> Result<(), NotApplied> {
        let (before, manifest) = (self.current(), release.manifest());
        let Some(rules) = manifest.shadow.as_deref().filter(|_| !same_backend(before.manifest(), manifest))
        else {
            return Ok(());
        };
        let rules = rules.clone().bounded();
        let (gate, tally) = shadow::rehearse(&self.shell, launch(&release)?, &rules).await;
        let report = Report {
            before: &before.manifest().version,
            version: &manifest.version,
            verdict: &gate,
            tally: &tally,
        };
        let file = report.write(&self.shell.facts().data_dir);
        let (passed, reason) = match &gate {
            Gate::Passed(reason) => (true, reason),
            Gate::Rejected(reason) | Gate::Undecided(reason) => (false, reason),
        };
        self.event(UpdateEvent::Compared {
            version: manifest.version.clone(),
            passed,
            reason: reason.clone(),
            calls: tally.calls,
            different: tally.different,
            differences: tally.differences.clone(),
            report: file,
        });
        match gate {
            Gate::Passed(_) => Ok(()),
            Gate::Rejected(reason) => Err(NotApplied::AtFault(format!("shadow verification: {reason}"))),
            Gate::Undecided(reason) => Err(NotApplied::NotNow(format!(
                "version {} was not applied (shadow verification): {reason}. The next look tries again",
                manifest.version
            ))),
        }
    }

    async fn switch(&self, release: Release) -> Result<f64, NotApplied> {
        let begun = Instant::now();
        let before = self.current();
        let (old, new) = (before.manifest(), release.manifest());
        let change = page_change(old, new);
        let (arriving, kept) = (self.shell.assets.arriving(), self.shell.assets.keeping());
        // A page that is being loaded waits for it: others go on with what they have until they are loaded, too.
        let at_load =
            new.policy.live == When::NextLoad && old.interface == new.interface && !arriving.is_empty();
        let mut new_interface = false;
        let (mut verdict, mut exchanged) = (None, None);
        // A backend is told its constants at its start.
        if old.backend == new.backend && WorkerConfig::of(&old.config) == WorkerConfig::of(&new.config) {
            let modules = Modules::of(&release)?;
            if self.shell.conductor.has_other_modules(&modules).await {
                let taken = self.shell.conductor.exchange_modules(&modules).await;
                exchanged = Some(taken.map_err(not_applied)?);
            }
            show(&self.shell, &release, at_load);
        } else {
            let (shell, shown) = (self.shell.clone(), release.clone());
            let at_switch: Box<dyn FnOnce() + Send> = Box::new(move || show(&shell, &shown, at_load));
            let options = SwapOptions { fresh: false, at_switch: Some(at_switch) };
            let switched = self.shell.conductor.swap(&self.shell, launch(&release)?, options).await;
            let switched = switched.map_err(not_applied)?;
            new_interface = switched.new_interface;
            verdict = Some(switched.verdict);
        }
        let milliseconds = begun.elapsed().as_secs_f64() * 1000.0;
        let (mut loads, mut styles) = (None, Vec::new());
        match change {
            _ if new_interface => loads = Some(reload::all(&self.shell)),
            _ if at_load => {
                let mut begun = self.shell.pages.next_loads();
                begun.retain(|label, _| arriving.contains(label));
                loads = Some(begun);
            }
            PageChange::Files => loads = Some(reload::all(&self.shell)),
            PageChange::Styles(paths) => {
                self.shell.pages.tell(None, &PageEvent::StylesChanged { paths: paths.clone() });
                styles = paths;
            }
            PageChange::Nothing => {}
        }
        if !at_load && loads.is_none() && !kept.is_empty() {
            // They would stay behind it.
            let mut others = BTreeSet::from_iter(self.shell.pages.labels());
            others.retain(|label| !kept.contains(label));
            loads = Some(reload::except(&self.shell, &others));
        }
        *self.current.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = release;
        *self.trial.lock().unwrap_or_else(std::sync::PoisonError::into_inner) =
            Some(Trial { before, loads, styles, verdict, modules: exchanged });
        Ok(milliseconds)
    }

    async fn judge(&self) -> Result<(), String> {
        let trial = self.trial.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        let Some(trial) = trial else { return Ok(()) };
        let config = self.shell.facts().config;
        let timeout = Duration::from_millis(config.page_ready_timeout_ms);
        let probation = Duration::from_secs(config.probation_s);
        let worker_swapped = trial.verdict.is_some();
        let page_up = async {
            match &trial.loads {
                Some(loads) => self.shell.pages.wait_ready(loads, timeout).await,
                None => Ok(()),
            }
        };
        let worker_good = async {
            match trial.verdict {
                Some(verdict) => verdict.await.unwrap_or_else(|_| Err("the backend was ended".into())),
                None => match &trial.modules {
                    Some(exchanged) => {
                        let proved = self.shell.conductor.prove_modules(&self.shell, exchanged).await;
                        proved.unwrap_or_else(|| Err("the backend ended with the new modules".into()))
                    }
                    None => {
                        awake::sleep(probation).await;
                        Ok(())
                    }
                },
            }
        };
        // Both at once: a backend that dies is known before a page that waits for it gives up.
        let Err(reason) = tokio::try_join!(page_up, worker_good) else { return Ok(()) };
        tracing::warn!(reason, "the new version proved bad; returning to the one before");
        let kept = self.shell.assets.keeping();
        self.show(&trial.before);
        if worker_swapped && !self.is_worker_of(&trial.before) {
            self.shell.conductor.go_back(&self.shell, &reason).await;
        }
        if let Some(exchanged) = &trial.modules {
            self.shell.conductor.take_modules_back(exchanged).await;
        }
        *self.current.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = trial.before.clone();
        // Pages go back the way they came; what was not touched is not touched now.
        if trial.loads.is_some() {
            let loads = reload::except(&self.shell, &kept);
            if let Err(error) = self.shell.pages.wait_ready(&loads, timeout).await {
                tracing::error!(error, "the page of the version before did not come up again at once");
            }
        }
        if !trial.styles.is_empty() {
            self.shell.pages.tell(None, &PageEvent::StylesChanged { paths: trial.styles });
        }
        Err(reason)
    }

    fn is_worker_of(&self, release: &Release) -> bool {
        let (active, wanted) = (self.shell.router.active(), launch(release));
        let same = |active: &Launch, wanted: &Launch| {
            active.executable == wanted.executable && active.config == wanted.config
        };
        matches!((active, wanted), (Some(active), Ok(wanted)) if same(&active.launch, &wanted))
    }
}

/// With `at_load`, open windows keep their files until they next load their page.
fn show(shell: &Arc<Shell>, release: &Release, at_load: bool) {
    let manifest = release.manifest();
    let keeping = if at_load { shell.pages.labels() } else { Vec::new() };
    shell.assets.exchange(Source::Release(release.clone()), manifest.config.csp.clone(), keeping);
    shell.change_facts(|facts| {
        facts.version.clone_from(&manifest.version);
        // What the webview keeps stays where it is until the next start.
        let storage = facts.config.webview.storage.take();
        facts.config = manifest.config.clone();
        facts.config.webview.storage = storage;
    });
    shell.ui.wish(Wish::Declare(manifest.windows.clone(), Box::new(manifest.desktop.clone())));
}

fn launch(release: &Release) -> Result<Launch, staysail_update::Error> {
    Ok(Launch {
        executable: release.worker()?,
        version: release.manifest().version.clone(),
        interface: Some(release.manifest().interface.clone()),
        config: Some(WorkerConfig::of(&release.manifest().config)),
        modules: Modules::of(release)?,
        debugged: false,
    })
}

/// Whether the same code answers calls.
fn same_backend(old: &Manifest, new: &Manifest) -> bool {
    old.backend == new.backend && old.modules == new.modules
}

fn page_change(old: &Manifest, new: &Manifest) -> PageChange {
    let hashes = |manifest: &Manifest| {
        let files = manifest
            .page
            .iter()
            .chain(manifest.group_files())
            .map(|file| (file.path.clone(), file.sha256.clone()));
        files.collect::<std::collections::BTreeMap<_, _>>()
    };
    // What a page is told and served with as it is loaded. What it is allowed is looked up as it asks.
    let (before, after) = (&old.config, &new.config);
    let reconfigured = WorkerConfig::of(before) != WorkerConfig::of(after) || before.csp != after.csp;
    let (old, new) = (hashes(old), hashes(new));
    if reconfigured {
        return PageChange::Files;
    }
    if old == new {
        return PageChange::Nothing;
    }
    let same_names = old.keys().eq(new.keys());
    let changed: Vec<&String> =
        new.iter().filter(|(path, hash)| old.get(*path) != Some(hash)).map(|(path, _)| path).collect();
    if same_names && changed.iter().all(|path| path.ends_with(".css")) {
        PageChange::Styles(changed.into_iter().map(|path| format!("/{path}")).collect())
    } else {
        PageChange::Files
    }
}

fn not_applied(refusal: Refusal) -> NotApplied {
    match refusal.of_others || refusal.of_shell {
        true => NotApplied::NotNow(refusal.reason),
        false => NotApplied::AtFault(refusal.reason),
    }
}

impl Host for Live {
    fn shadow(&self, release: Release) -> ShadowFuture<'_> {
        Box::pin(self.rehearse(release))
    }

    fn apply(&self, release: Release) -> ApplyFuture<'_> {
        Box::pin(self.switch(release))
    }

    fn probation(&self) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + '_>> {
        Box::pin(self.judge())
    }

    fn facts(&self, custom: BTreeSet<String>) -> HostFuture<'_, Facts> {
        Box::pin(async { Ok(conditions::facts(&self.shell, &self.questions, custom).await) })
    }

    fn event(&self, event: UpdateEvent) {
        match &event {
            // What users' data differ in is for the report alone, not for logs that go elsewhere.
            UpdateEvent::Compared { version, passed, reason, calls, different, .. } => {
                tracing::info!(version, passed, reason, calls, different, "update: answers were compared");
            }
            event => tracing::info!(?event, "update"),
        }
        self.shell.tell_of_update(&event);
        if let Some(worker) = self.shell.router.active() {
            worker.tell(&ToWorker::Update(event));
        }
    }
}

/// Writes to the log, and brings wishes to the engine.
struct ProductionObserver {
    live: std::sync::Weak<Live>,
}

impl Observer for ProductionObserver {
    fn page_ready(&self, window: &str, load: u64) {
        tracing::info!(window, load, "the page has come up");
    }

    fn page_report(&self, report: &PageReport) {
        match report.level.as_str() {
            "error" => {
                tracing::error!(target: "page", kind = report.kind, place = report.place, "{}", report.message)
            }
            "warn" => tracing::warn!(target: "page", place = report.place, "{}", report.message),
            _ => tracing::info!(target: "page", place = report.place, "{}", report.message),
        }
    }

    fn worker_line(&self, source: &str, line: &str) {
        match source {
            "error" => tracing::error!(target: "worker", "{line}"),
            "warn" => tracing::warn!(target: "worker", "{line}"),
            "debug" => tracing::debug!(target: "worker", "{line}"),
            "trace" => tracing::trace!(target: "worker", "{line}"),
            _ => tracing::info!(target: "worker", source, "{line}"),
        }
    }

    fn update_wish(&self, wish: UpdateWish) {
        if let Some(live) = self.live.upgrade() {
            live.wish(wish);
        }
    }

    fn page_loads(&self) -> Option<oneshot::Receiver<()>> {
        self.live.upgrade()?.engine.get()?.as_ref()?.page_loads()
    }

    fn apply(&self, file: &Path) {
        let Some(live) = self.live.upgrade() else { return };
        match Archive::open(file) {
            Ok(archive) => live.apply_archive(archive),
            // It was whole when it was handed over.
            Err(error) => live.event(UpdateEvent::Failed { reason: error.to_string() }),
        }
    }

    fn closing(&self) {
        if let Some(Some(engine)) = self.live.upgrade().as_ref().and_then(|live| live.engine.get()) {
            engine.shut_down();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use staysail_protocol::manifest::Manifest;

    #[test]
    fn what_a_page_is_told_at_its_load_has_it_loaded_again_and_what_the_shell_reads_has_not() {
        let (old, mut new) = (Manifest::default(), Manifest::default());
        new.config.probation_s += 1;
        new.config.webview.storage = Some("$CACHE/web".into());
        assert_eq!(page_change(&old, &new), PageChange::Nothing);
        new.config.constants.insert("colour".into(), "red".into());
        assert_eq!(page_change(&old, &new), PageChange::Files);
        let mut other = old.clone();
        other.config.csp = Some("default-src 'self'".into());
        assert_eq!(page_change(&old, &other), PageChange::Files);
    }

    #[test]
    fn a_release_is_blamed_for_what_is_its_own_fault_alone() {
        let reason = || "why".to_owned();
        let of_others = Refusal { of_others: true, ..reason().into() };
        let of_shell = Refusal { of_shell: true, ..reason().into() };
        assert_eq!(not_applied(reason().into()), NotApplied::AtFault(reason()));
        for refusal in [of_others, of_shell] {
            assert_eq!(not_applied(refusal), NotApplied::NotNow(reason()));
        }
    }
}
