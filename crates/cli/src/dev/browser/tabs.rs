//! The tabs that show the page: their names, their numbers, and when one is gone.
//!
//! A tab's name is made by its page and lasts over its reloads; nobody else knows it. While a page loads again its tab has
//! no connection for a moment: it is gone only when it has not come back.

use super::exchange::Exchange;
use staysail_protocol::control::{ToShell, tab_label};
use staysail_protocol::limits::{BROWSER_TAB_GONE_MS, BROWSER_TABS_MAX};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// All tabs.
pub struct Tabs {
    exchange: Arc<Exchange>,
    all: Mutex<All>,
}

#[derive(Default)]
struct All {
    tabs: HashMap<String, Tab>,
    last: u64,
    connections: u64,
}

struct Tab {
    label: String,
    /// Number of its newest connection.
    connection: u64,
    is_connected: bool,
    /// Ends the connection when a newer one takes its place.
    end: Arc<Notify>,
}

/// A connection of a tab.
pub struct Connection {
    /// Label of the tab.
    pub label: String,
    /// Told when a newer connection takes its place.
    pub end: Arc<Notify>,
    name: String,
    number: u64,
}

impl Tabs {
    /// None yet.
    pub fn new(exchange: Arc<Exchange>) -> Arc<Self> {
        Arc::new(Self { exchange, all: Mutex::default() })
    }

    fn all(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A page has opened its socket. `None` when there are too many tabs.
    pub fn enter(&self, name: &str) -> Option<Connection> {
        let mut all = self.all();
        all.connections += 1;
        let number = all.connections;
        let end = Arc::new(Notify::new());
        let label = if let Some(tab) = all.tabs.get_mut(name) {
            tab.end.notify_one();
            (tab.connection, tab.is_connected, tab.end) = (number, true, end.clone());
            tab.label.clone()
        } else {
            if all.tabs.len() >= BROWSER_TABS_MAX {
                return None;
            }
            all.last += 1;
            let label = tab_label(all.last);
            let tab = Tab { label: label.clone(), connection: number, is_connected: true, end: end.clone() };
            all.tabs.insert(name.to_string(), tab);
            // Told under the lock: the shell hears of a tab before it hears of its requests.
            self.exchange.tell(&ToShell::TabOpened { window: label.clone(), secret: name.to_string() });
            label
        };
        Some(Connection { label, end, name: name.to_string(), number })
    }

    /// The socket is closed. The tab is gone unless it comes back in time.
    pub fn leave(self: &Arc<Self>, connection: &Connection) {
        let mut all = self.all();
        let Some(tab) = all.tabs.get_mut(&connection.name) else { return };
        if tab.connection != connection.number {
            return;
        }
        tab.is_connected = false;
        drop(all);
        self.exchange.forget(&connection.label);
        let (tabs, name, number) = (self.clone(), connection.name.clone(), connection.number);
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(BROWSER_TAB_GONE_MS)).await;
            tabs.give_up(&name, number);
        });
    }

    fn give_up(&self, name: &str, number: u64) {
        let mut all = self.all();
        if all.tabs.get(name).is_some_and(|tab| tab.connection == number && !tab.is_connected)
            && let Some(tab) = all.tabs.remove(name)
        {
            self.exchange.tell(&ToShell::TabClosed { window: tab.label });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(number: usize) -> String {
        format!("{number:032x}")
    }

    #[test]
    fn a_tab_keeps_its_label_over_a_reload_and_another_one_gets_its_own() {
        let tabs = Tabs::new(Arc::default());
        let first = tabs.enter(&name(1)).unwrap();
        assert_eq!(first.label, "browser-1");
        assert_eq!(tabs.enter(&name(2)).unwrap().label, "browser-2");
        let again = tabs.enter(&name(1)).unwrap();
        assert_eq!(again.label, "browser-1");
        // The old connection ends late: the tab is not left by that.
        tabs.give_up(&name(1), first.number);
        assert!(tabs.all().tabs[&name(1)].is_connected);
    }

    #[tokio::test]
    async fn a_tab_that_does_not_come_back_is_gone_and_one_that_does_is_not() {
        let tabs = Tabs::new(Arc::default());
        let gone = tabs.enter(&name(1)).unwrap();
        tabs.leave(&gone);
        tabs.give_up(&name(1), gone.number);
        assert_eq!(tabs.enter(&name(1)).unwrap().label, "browser-2");
        let back = tabs.enter(&name(3)).unwrap();
        tabs.leave(&back);
        tabs.enter(&name(3)).unwrap();
        tabs.give_up(&name(3), back.number);
        assert_eq!(tabs.enter(&name(3)).unwrap().label, "browser-3");
    }

    #[test]
    fn there_are_only_so_many_tabs() {
        let tabs = Tabs::new(Arc::default());
        assert!((0..BROWSER_TABS_MAX).all(|number| tabs.enter(&name(number)).is_some()));
        assert!(tabs.enter(&name(BROWSER_TABS_MAX)).is_none());
        assert!(tabs.enter(&name(0)).is_some(), "those that are there go on");
    }
}
