//! Loading all pages again with their state kept.

use crate::app::Wish;
use crate::pages::Expected;
use crate::shell::Shell;
use staysail_protocol::bridge::PageEvent;
use staysail_protocol::limits::PAGE_SAVE_TIMEOUT_MS;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Loads every page again. See [`except`].
pub fn all(shell: &Arc<Shell>) -> Expected {
    except(shell, &BTreeSet::new())
}

/// Asks every page to save its state and load itself again; a page that does not (its script hangs or never
/// started) is loaded again by force. Windows in `kept` stay as they are, and those that are being loaded go on. Returns the
/// loads to wait for.
pub fn except(shell: &Arc<Shell>, kept: &BTreeSet<String>) -> Expected {
    let mut expected = shell.pages.next_loads();
    expected.retain(|label, _| !kept.contains(label));
    let (arriving, mut wanted) = (shell.assets.arriving(), expected.clone());
    wanted.retain(|label, _| !arriving.contains(label));
    for label in wanted.keys() {
        shell.pages.tell(Some(label), &PageEvent::Reload);
    }
    let shell = shell.clone();
    shell.runtime.clone().spawn(async move {
        let begun = shell.pages.wait_begun(&wanted);
        if tokio::time::timeout(Duration::from_millis(PAGE_SAVE_TIMEOUT_MS), begun).await.is_err() {
            for label in shell.pages.not_begun(&wanted) {
                tracing::warn!(
                    window = label,
                    "the page did not load itself again in time; loading it by force"
                );
                shell.ui.wish(Wish::Reload(label));
            }
        }
    });
    expected
}
