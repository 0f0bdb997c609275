//! Where a window may go, and what opens in the user's browser instead.
//!
//! # Theory of operation
//! The main frame stays on origins that are allowed: the app's own, the dev server's, those a capability names under
//! `navigate` or `origins`. What leads elsewhere opens in the user's browser, but only when the user did something just
//! now (where the platform tells), only for addresses that run nothing, and not more often than `browser_opens_max` times
//! in `browser_opens_window_s`: a page that was taken over can neither send its window away nor flood the desktop, and
//! can send nothing out by going somewhere.
//!
//! Frames go where the page's policy lets them, which the webview has checked before it asks, and never open a browser.
//! WebKitGTK does not say whether a frame asks or the window ([`Verdict::Later`]): an address no frame could be shown at
//! is the window's; of any other it says so once the answer's head is there, and the window is held back then.
//!
//! A second window of the webview's own is never opened, whoever asks: it would have no label, no capabilities and no
//! place in the shell.

use crate::content_policy::may_frame;
use crate::desktop::is_harmless;
use crate::shell::{Shell, origin_of};
use staysail_protocol::limits::{BROWSER_OPENS_MAX, BROWSER_OPENS_WINDOW_S};
use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Things said once that are remembered; beyond them nothing more is said.
const TOLD_MAX: usize = 1_000;

/// What becomes of a wish to go somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Go.
    Go,
    /// A frame may go there, the window may not: go as far as it takes to see which of them it is.
    Later,
    /// Stay. Where that is called for, the address opens in the user's browser.
    Stay,
}

/// What the shell remembers of links and prompts.
#[derive(Default)]
pub struct Navigation {
    opened: Mutex<Opened>,
    told: Mutex<HashSet<String>>,
}

impl Navigation {
    /// Whether this is said for the first time.
    pub fn is_news(&self, what: String) -> bool {
        let mut told = self.told.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        told.len() < TOLD_MAX && told.insert(what)
    }
}

/// When links were opened in the user's browser.
#[derive(Default)]
struct Opened(VecDeque<Instant>);

impl Opened {
    /// Whether one more may be opened now; it counts then.
    fn one_more(&mut self, now: Instant) -> bool {
        let window = Duration::from_secs(BROWSER_OPENS_WINDOW_S);
        while self.0.front().is_some_and(|opened| now.duration_since(*opened) >= window) {
            self.0.pop_front();
        }
        let may = self.0.len() < BROWSER_OPENS_MAX;
        if may {
            self.0.push_back(now);
        }
        may
    }
}

/// A frame or the window wants to go to `address`. `gesture`: the user did something just now; `None` where the platform
/// does not say.
pub fn somewhere(shell: &Arc<Shell>, window: &str, address: &str, gesture: Option<bool>) -> Verdict {
    if is_allowed(shell, window, address) {
        return Verdict::Go;
    }
    let scheme = address.split(':').next().unwrap_or_default();
    let can_be_shown =
        ["http", "https", "blob", "data"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
    // A dev server gives its pages the policy it likes: it is not known here.
    let policy = if shell.facts().dev_url.is_some() { String::new() } else { shell.assets.policy() };
    if can_be_shown && may_frame(&policy, address) {
        return Verdict::Later;
    }
    leave(shell, window, address, gesture);
    Verdict::Stay
}

/// The window itself wants to go to `address`, and not a frame in it. Whether it may.
pub fn window_goes(shell: &Arc<Shell>, window: &str, address: &str, gesture: Option<bool>) -> bool {
    let allowed = is_allowed(shell, window, address);
    if !allowed {
        leave(shell, window, address, gesture);
    }
    allowed
}

/// Somebody wants a new window: `window.open`, a link with a `target`, the middle button of the mouse. There is never one.
pub fn new_window(shell: &Arc<Shell>, window: &str, address: &str, gesture: Option<bool>) {
    let origin = origin_of(address);
    let is_own = address.is_empty()
        || address == "about:blank"
        || origin.as_deref().is_some_and(|origin| shell.is_app_origin(origin));
    if !is_own {
        return leave(shell, window, address, gesture);
    }
    if shell.navigation.is_news(format!("{window} new window")) {
        tracing::warn!(
            window,
            address,
            "a page asked the webview for a new window and got none; open it with `openWindow` of @staysail/api, \
             which needs `window.create` in `allow` of [[capabilities]]"
        );
    }
}

/// Whether the window may show this.
pub fn is_allowed(shell: &Arc<Shell>, window: &str, address: &str) -> bool {
    if address == "about:blank" || address == "about:srcdoc" {
        return true;
    }
    origin_of(address).is_some_and(|origin| {
        shell.is_app_origin(&origin) || shell.granted(window, |granted| granted.navigation(&origin))
    })
}

/// Opens in the user's browser what leads out of the app, if the user wanted it.
fn leave(shell: &Arc<Shell>, window: &str, address: &str, gesture: Option<bool>) {
    let origin = origin_of(address).unwrap_or_else(|| address.chars().take(80).collect());
    if !is_harmless(address) {
        if shell.navigation.is_news(format!("{window} scheme {origin}")) {
            tracing::warn!(
                window,
                address,
                "a page tried to go to an address that is not opened; it stays where it is"
            );
        }
        return;
    }
    if gesture == Some(false) {
        if shell.navigation.is_news(format!("{window} gesture {origin}")) {
            tracing::warn!(
                window,
                origin,
                "a page tried to leave the app without the user's doing; it stays where it is. To let the window go \
                 there, add the origin to `navigate` of [[capabilities]] in staysail.toml"
            );
        }
        return;
    }
    let may = shell
        .navigation
        .opened
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
        .one_more(Instant::now());
    if !may {
        return tracing::warn!(
            window,
            address,
            "not opened in the browser: {BROWSER_OPENS_MAX} links were within {BROWSER_OPENS_WINDOW_S} s \
             (browser_opens_max, browser_opens_window_s)"
        );
    }
    let address = address.to_string();
    shell.runtime.spawn_blocking(move || {
        if let Err(error) = open::that_detached(&address) {
            tracing::warn!(address, %error, "a link could not be opened in the browser");
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_links_open_in_the_browser_in_a_while() {
        let mut opened = Opened::default();
        let begin = Instant::now();
        for _ in 0..BROWSER_OPENS_MAX {
            assert!(opened.one_more(begin));
        }
        assert!(!opened.one_more(begin + Duration::from_secs(BROWSER_OPENS_WINDOW_S - 1)));
        assert!(opened.one_more(begin + Duration::from_secs(BROWSER_OPENS_WINDOW_S)));
        assert!(opened.0.len() <= BROWSER_OPENS_MAX, "what is long ago is forgotten");
    }

    #[test]
    fn what_is_said_once_is_bounded() {
        let navigation = Navigation::default();
        assert!(navigation.is_news("a".into()) && !navigation.is_news("a".into()));
        for n in 0..TOLD_MAX {
            navigation.is_news(n.to_string());
        }
        assert!(!navigation.is_news("b".into()));
    }
}
