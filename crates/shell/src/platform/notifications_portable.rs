//! Notifications of Windows and macOS, through notify-rust. Each is heard of by a thread that waits for what the user does;
//! these systems take theirs away themselves, no program can.

use super::{Done, failed};
use crate::shell::{Facts, Shell};
use notify_rust::{Notification, NotificationHandle, NotificationResponse};
use staysail_protocol::desktop::notification::{Action, NotificationEvent, NotificationNews};
use staysail_protocol::limits::NOTIFICATIONS_HEARD_MAX;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

/// Threads that wait.
static HEARD: AtomicUsize = AtomicUsize::new(0);
const STACK_BYTES: usize = 256 << 10;

/// Shows a notification and says its number.
pub async fn notify(shell: &Arc<Shell>, title: String, body: String, actions: Vec<Action>) -> Done<u32> {
    static LAST: AtomicU32 = AtomicU32::new(0);
    let id = LAST.fetch_add(1, Ordering::Relaxed) + 1;
    let shell = shell.clone();
    tokio::task::spawn_blocking(move || {
        let facts = shell.facts();
        let mut notification = Notification::new();
        notification.appname(&facts.name).summary(&title).body(&body);
        show_as(&mut notification, &facts);
        for action in &actions {
            notification.action(&action.id, &action.label);
        }
        hear(shell, id, notification.show().map_err(failed)?);
        Ok(id)
    })
    .await
    .map_err(failed)?
}

/// No notification can be taken away here, and none is told to be gone that is not.
pub async fn close_notification(_shell: &Arc<Shell>, id: u32) -> Done<()> {
    Err(failed(format!(
        "this system takes notifications away by itself; the notification {id} stays until then"
    )))
}

/// The app's own name and settings instead of PowerShell's: Windows shows what a program is known for by its id.
#[cfg(windows)]
fn show_as(notification: &mut Notification, facts: &Facts) {
    let key = format!(r"Software\Classes\AppUserModelId\{}", facts.app);
    let known = windows_registry::CURRENT_USER
        .create(&key)
        .and_then(|key| key.set_string("DisplayName", &facts.name));
    match known {
        Ok(()) => {
            notification.app_id(&facts.app);
        }
        Err(error) => tracing::warn!(%error, key, "notifications are shown as those of PowerShell"),
    }
}

/// The app's own icon and settings instead of the Finder's, which only a bundle has.
#[cfg(target_os = "macos")]
fn show_as(_notification: &mut Notification, facts: &Facts) {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let bundled = std::env::current_exe().is_ok_and(|executable| {
            executable.parent().is_some_and(|folder| folder.ends_with("Contents/MacOS"))
        });
        if bundled && let Err(error) = notify_rust::set_application(&facts.app) {
            tracing::warn!(%error, app = facts.app, "notifications are not shown as the app's own");
        }
    });
}

/// Tells what becomes of a notification.
fn hear(shell: Arc<Shell>, id: u32, handle: NotificationHandle) {
    if HEARD.fetch_add(1, Ordering::Relaxed) >= NOTIFICATIONS_HEARD_MAX {
        HEARD.fetch_sub(1, Ordering::Relaxed);
        tracing::warn!(
            id,
            "{NOTIFICATIONS_HEARD_MAX} notifications wait for the user (notifications_heard_max); what becomes of this one is \
             not told"
        );
        return;
    }
    let wait = move || {
        let tell = |what| shell.tell_natively("notification", "", &NotificationEvent { id, what });
        let waited = handle.wait_for_response(|response: &NotificationResponse| {
            match response {
                NotificationResponse::Default | NotificationResponse::Reply(_) => {
                    tell(NotificationNews::Clicked)
                }
                NotificationResponse::Action(action) => {
                    tell(NotificationNews::Action { action: action.clone() });
                }
                NotificationResponse::Closed(_) => {}
            }
            tell(NotificationNews::Closed);
        });
        HEARD.fetch_sub(1, Ordering::Relaxed);
        if let Err(error) = waited {
            tracing::warn!(id, %error, "a notification is not shown, or not heard of any more");
            tell(NotificationNews::Closed);
        }
    };
    let thread = std::thread::Builder::new().name("notification".into()).stack_size(STACK_BYTES);
    if let Err(error) = thread.spawn(wait) {
        HEARD.fetch_sub(1, Ordering::Relaxed);
        tracing::warn!(id, %error, "what becomes of a notification is not told");
    }
}
