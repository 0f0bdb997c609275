//! What the shell knows of each page: its key, its load, its events, the state it keeps over a reload.
//!
//! # Theory of operation
//! A window has one secret for its life, known to its start script only. With it the first request of a page
//! load (`hello`) gets a key and a generation; from then on nothing of the load before is accepted, and answers
//! to it are dropped. Events wait in a bounded queue until the page's one `next` request takes them, in batches: a page
//! that is busy gets more at once and is woken less often. Beyond the bound the oldest events of the app are dropped and
//! the page is told how many; what the shell itself has to tell is never dropped.

use crate::memory;
use crate::responder::Responder;
use crate::router::Router;
use serde_json::value::RawValue;
use staysail_protocol::bridge::PageEvent;
use staysail_protocol::control::may_be_tab;
use staysail_protocol::limits::{
    EVENT_BATCH_BYTES_MAX, EVENT_QUEUE_BYTES_MAX, EVENT_QUEUE_MAX, OPENED_WAITING_MAX,
};
use staysail_update::awake;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::watch;

struct Page {
    secret: String,
    key: String,
    generation: u64,
    epoch: u64,
    events: Events,
    /// Events that no load may miss: told once the page has come up, and kept for the next load until then.
    when_ready: VecDeque<Arc<str>>,
    waiting: Option<Responder>,
    kept: Option<Box<RawValue>>,
    /// The kept state has served a load that came up: the next load does not get it again.
    kept_is_used: bool,
    ready: bool,
    boot_error: Option<String>,
    closed: bool,
    /// In a browser tab, not in a window of the shell.
    in_tab: bool,
}

/// Events on their way to one page. Windows that get the same event share its text.
#[derive(Default)]
struct Events {
    waiting: VecDeque<(Arc<str>, Kind)>,
    bytes: usize,
    lost: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Emitted by the app: a page that does not follow loses the oldest.
    App,
    /// Of the shell: few, and a page must not miss one.
    Own,
}

/// Who sent a request, once its key proved it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visitor {
    /// Label of the window.
    pub window: String,
    /// Number of the page load.
    pub generation: u64,
    /// Interface epoch the page was loaded with.
    pub epoch: u64,
}

/// Page loads to wait for: window label to generation.
pub type Expected = BTreeMap<String, u64>;

/// All pages of the shell.
pub struct Pages {
    pages: Mutex<HashMap<String, Page>>,
    changed: watch::Sender<u64>,
}

impl Default for Pages {
    fn default() -> Self {
        Self { pages: Mutex::default(), changed: watch::Sender::new(0) }
    }
}

impl Pages {
    fn pages(&self) -> MutexGuard<'_, HashMap<String, Page>> {
        self.pages.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// A window opens. Returns the secret for its start script.
    pub fn open(&self, window: &str) -> String {
        let secret = crate::secret::token();
        self.pages().insert(window.to_string(), Page::new(secret.clone(), false));
        secret
    }

    /// A browser tab opens; its page knows the secret already. `false` when there is a window of this label.
    pub fn open_tab(&self, window: &str, secret: String) -> bool {
        let mut pages = self.pages();
        let free = pages.get(window).is_none_or(|page| page.in_tab || page.closed);
        if free {
            pages.insert(window.to_string(), Page::new(secret, true));
        }
        free
    }

    /// A browser tab is gone.
    pub fn close_tab(&self, window: &str) {
        if self.is_tab(window) {
            self.close(window);
        }
    }

    /// Whether this page is in a browser tab.
    pub fn is_tab(&self, window: &str) -> bool {
        may_be_tab(window) && self.pages().get(window).is_some_and(|page| page.in_tab)
    }

    /// A window is gone.
    pub fn close(&self, window: &str) {
        if let Some(page) = self.pages().get_mut(window) {
            page.closed = true;
            page.key.clear();
            page.waiting = None;
            page.events = Events::default();
            page.when_ready.clear();
        }
        self.changed.send_modify(|count| *count += 1);
    }

    /// A page says hello. Returns its key, its generation and the state kept for it, or `None` when the secret
    /// is wrong.
    pub fn hello(
        &self,
        window: &str,
        secret: &str,
        router: &Router,
    ) -> Option<(String, u64, Option<Box<RawValue>>)> {
        let mut pages = self.pages();
        let page =
            pages.get_mut(window).filter(|page| !page.closed && crate::secret::same(&page.secret, secret))?;
        page.key = crate::secret::token();
        page.generation += 1;
        page.epoch = router.epoch();
        page.events = Events::default();
        page.waiting = None;
        page.ready = false;
        page.boot_error = None;
        if page.kept_is_used {
            page.kept = None;
        }
        let answer = (page.key.clone(), page.generation, page.kept.clone());
        drop(pages);
        self.changed.send_modify(|count| *count += 1);
        Some(answer)
    }

    /// Finds who sent a request by its key.
    pub fn visitor(&self, window: &str, key: &str) -> Option<Visitor> {
        let pages = self.pages();
        let page =
            pages.get(window).filter(|page| !page.key.is_empty() && crate::secret::same(&page.key, key))?;
        Some(Visitor { window: window.to_string(), generation: page.generation, epoch: page.epoch })
    }

    /// Whether an answer to this visitor still has somebody to read it.
    pub fn is_current(&self, visitor: &Visitor) -> bool {
        self.pages()
            .get(&visitor.window)
            .is_some_and(|page| !page.closed && page.generation == visitor.generation)
    }

    /// The page waits for events: answered at once when there are some.
    pub fn next(&self, visitor: &Visitor, responder: Responder) {
        let mut pages = self.pages();
        let Some(page) = pages.get_mut(&visitor.window) else { return };
        page.waiting = Some(responder);
        let delivery = page.take_delivery();
        drop(pages);
        deliver(delivery);
    }

    /// Tells one window, or all of them.
    pub fn tell(&self, window: Option<&str>, event: &PageEvent) {
        let Ok(text) = serde_json::to_string(event) else { return };
        let kind = match event {
            PageEvent::Event { name, .. } if !name.starts_with("staysail:") => Kind::App,
            _ => Kind::Own,
        };
        let text: Arc<str> = text.into();
        let mut deliveries = Vec::new();
        for (label, page) in self.pages().iter_mut() {
            if !page.closed && window.is_none_or(|window| window == label) {
                page.events.put(text.clone(), kind);
                deliveries.push(page.take_delivery());
            }
        }
        deliveries.into_iter().for_each(deliver);
    }

    /// Tells one window as soon as its page has come up, this one or the one that is loading.
    pub fn tell_when_ready(&self, window: &str, event: &PageEvent) {
        let Ok(text) = serde_json::to_string(event) else { return };
        let mut pages = self.pages();
        let Some(page) = pages.get_mut(window).filter(|page| !page.closed) else { return };
        page.when_ready.push_back(text.into());
        if page.when_ready.len() > OPENED_WAITING_MAX {
            page.when_ready.pop_front();
        }
        let delivery = page.take_delivery();
        drop(pages);
        deliver(delivery);
    }

    /// Labels of the windows that are open.
    pub fn labels(&self) -> Vec<String> {
        self.pages().iter().filter(|(_, page)| !page.closed).map(|(label, _)| label.clone()).collect()
    }

    /// Labels of the windows whose pages have come up.
    pub fn come_up(&self) -> Vec<String> {
        let pages = self.pages();
        pages.iter().filter(|(_, page)| !page.closed && page.ready).map(|(label, _)| label.clone()).collect()
    }

    /// Keeps the page's state for its next load.
    pub fn keep(&self, visitor: &Visitor, state: Option<Box<RawValue>>) {
        if let Some(page) = self.pages().get_mut(&visitor.window) {
            page.kept = state;
            page.kept_is_used = false;
        }
    }

    /// The page has come up.
    pub fn ready(&self, visitor: &Visitor) {
        let mut pages = self.pages();
        let delivery = pages.get_mut(&visitor.window).and_then(|page| {
            page.ready = true;
            page.kept_is_used = true;
            page.take_delivery()
        });
        drop(pages);
        deliver(delivery);
        self.changed.send_modify(|count| *count += 1);
    }

    /// The page failed before it came up.
    pub fn boot_failed(&self, visitor: &Visitor, message: &str) {
        if let Some(page) = self.pages().get_mut(&visitor.window).filter(|page| !page.ready) {
            page.boot_error = Some(message.to_string());
        }
        self.changed.send_modify(|count| *count += 1);
    }

    /// The loads that follow the ones shown now.
    pub fn next_loads(&self) -> Expected {
        self.pages()
            .iter()
            .filter(|(_, page)| !page.closed)
            .map(|(label, page)| (label.clone(), page.generation + 1))
            .collect()
    }

    /// Those of `expected` that have not even begun.
    pub fn not_begun(&self, expected: &Expected) -> Vec<String> {
        let pages = self.pages();
        let behind = |(label, generation): &(&String, &u64)| {
            pages.get(*label).is_some_and(|page| !page.closed && page.generation < **generation)
        };
        expected.iter().filter(behind).map(|(label, _)| label.clone()).collect()
    }

    /// Waits until every expected load has begun.
    pub async fn wait_begun(&self, expected: &Expected) {
        let mut changed = self.changed.subscribe();
        while !self.not_begun(expected).is_empty() && changed.changed().await.is_ok() {}
    }

    /// Waits until every expected load, or a later one, has come up. Windows closed meanwhile do not count.
    ///
    /// # Errors
    /// A sentence for people: which page failed while it loaded, or did not come up in time.
    pub async fn wait_ready(&self, expected: &Expected, timeout: Duration) -> Result<(), String> {
        let mut changed = self.changed.subscribe();
        let all_ready = async {
            loop {
                match self.readiness(expected) {
                    Some(result) => return result,
                    None if changed.changed().await.is_err() => return Err("the shell is ending".into()),
                    None => {}
                }
            }
        };
        awake::timeout(timeout, all_ready).await.unwrap_or_else(|_| {
            Err(format!("the page did not come up within {} ms (page_ready_timeout_ms)", timeout.as_millis()))
        })
    }

    fn readiness(&self, expected: &Expected) -> Option<Result<(), String>> {
        let pages = self.pages();
        let mut all = true;
        for (label, generation) in expected {
            let Some(page) = pages.get(label) else {
                all = false;
                continue;
            };
            if page.closed {
                continue;
            }
            if page.generation < *generation {
                all = false;
            } else if let Some(error) = &page.boot_error {
                return Some(Err(format!("the page of window {label} failed while it loaded: {error}")));
            } else {
                all &= page.ready;
            }
        }
        all.then_some(Ok(()))
    }
}

type Delivery = Option<(Responder, String)>;

impl Page {
    fn new(secret: String, in_tab: bool) -> Self {
        Self {
            secret,
            key: String::new(),
            generation: 0,
            epoch: 0,
            events: Events::default(),
            when_ready: VecDeque::new(),
            waiting: None,
            kept: None,
            kept_is_used: false,
            ready: false,
            boot_error: None,
            closed: false,
            in_tab,
        }
    }

    fn take_delivery(&mut self) -> Delivery {
        self.waiting.as_ref()?;
        if self.ready {
            for text in std::mem::take(&mut self.when_ready) {
                self.events.put(text, Kind::Own);
            }
        }
        let batch = self.events.batch()?;
        self.waiting.take().map(|responder| (responder, batch))
    }
}

impl Events {
    fn put(&mut self, text: Arc<str>, kind: Kind) {
        self.bytes += text.len();
        self.waiting.push_back((text, kind));
        while self.waiting.len() > EVENT_QUEUE_MAX || self.bytes > EVENT_QUEUE_BYTES_MAX {
            let Some(oldest) = self.waiting.iter().position(|(_, kind)| *kind == Kind::App) else { return };
            let Some((text, _)) = self.waiting.remove(oldest) else { return };
            self.bytes -= text.len();
            self.lost += 1;
        }
    }

    /// What a page takes at once, as a JSON array; one event at least, when there is any.
    fn batch(&mut self) -> Option<String> {
        self.waiting.front()?;
        let mut batch = String::from("[");
        if self.lost > 0 {
            let lost = PageEvent::EventsLost { count: std::mem::take(&mut self.lost) };
            batch += &serde_json::to_string(&lost).unwrap_or_default();
        }
        while let Some((text, _)) = self.waiting.front() {
            if batch.len() > 1 {
                if batch.len() + text.len() > EVENT_BATCH_BYTES_MAX {
                    break;
                }
                batch.push(',');
            }
            batch += text;
            self.bytes -= text.len();
            self.waiting.pop_front();
        }
        if self.waiting.is_empty() {
            // A flood leaves nothing behind.
            let room = std::mem::take(&mut self.waiting).capacity();
            if room >= memory::FLOOD_EVENTS {
                memory::give_back_soon();
            }
        }
        batch.push(']');
        Some(batch)
    }
}

fn deliver(delivery: Delivery) {
    if let Some((responder, events)) = delivery {
        responder.success(events.into_bytes(), false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: usize) -> Arc<str> {
        number.to_string().into()
    }

    fn numbers(batch: &str) -> Vec<u64> {
        serde_json::from_str(batch).unwrap()
    }

    #[test]
    fn events_come_in_order_and_in_batches_of_bounded_size() {
        let mut events = Events::default();
        assert_eq!(events.batch(), None);
        (0..EVENT_QUEUE_MAX).for_each(|number| events.put(event(number), Kind::App));
        let mut seen = Vec::new();
        while let Some(batch) = events.batch() {
            assert!(batch.len() <= EVENT_BATCH_BYTES_MAX + 1);
            seen.extend(numbers(&batch));
        }
        assert!(seen.into_iter().eq(0..EVENT_QUEUE_MAX as u64));
        assert_eq!(events.bytes, 0);
        // One that is larger than a batch goes alone.
        events.put("1".repeat(EVENT_BATCH_BYTES_MAX).into(), Kind::App);
        events.put(event(2), Kind::App);
        assert_eq!(events.batch().map(|batch| batch.len()), Some(EVENT_BATCH_BYTES_MAX + 2));
        assert_eq!(events.batch().as_deref(), Some("[2]"));
    }

    #[test]
    fn beyond_the_bound_the_oldest_of_the_app_are_dropped_and_counted_and_none_of_the_shell() {
        let mut events = Events::default();
        events.put(event(7), Kind::Own);
        (0..EVENT_QUEUE_MAX + 4).for_each(|number| events.put(event(number), Kind::App));
        let batch = events.batch().unwrap();
        assert!(batch.starts_with(r#"[{"t":"events_lost","count":5},7,5,6,"#), "{}", &batch[..60]);
        let mut large = Events::default();
        (0..20).for_each(|_| large.put("1".repeat(1 << 20).into(), Kind::App));
        assert_eq!(large.lost, 4);
        assert!(large.bytes <= EVENT_QUEUE_BYTES_MAX);
    }
}
