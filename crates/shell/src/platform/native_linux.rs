//! Dialogs and clipboard by GTK, notifications and the file manager by D-Bus.
//!
//! GTK is spoken to on the windows' thread only, and never waited for there: what comes later comes to a callback, and
//! from it to whoever waits on the runtime.

use crate::desktop::dialog::{Choice, Chooser, Question};
use crate::desktop::{Answer, Windows};
use crate::shell::Shell;
use gtk::gio::{self, BusType, DBusCallFlags, DBusSignalFlags};
use gtk::glib::{self, ToVariant, Variant};
use gtk::prelude::*;
use gtk::{gdk, gdk_pixbuf};
use serde_json::Value;
use staysail_protocol::desktop::dialog::Level;
use staysail_protocol::desktop::notification::{Action, NotificationEvent, NotificationNews};
use staysail_protocol::{CallError, ErrorCode};
use std::cell::{Cell, RefCell};
use std::path::Path;
use std::sync::Arc;
use tao::platform::unix::WindowExtUnix;
use tokio::sync::oneshot;

/// Longest wait for another program of the desktop.
const DESKTOP_TIMEOUT_MS: i32 = 5_000;

type Done<T> = Result<T, CallError>;

fn failed(message: impl Into<String>) -> CallError {
    CallError::new(ErrorCode::Internal, message)
}

/// Begins something on the windows' thread and waits for what comes of it.
async fn later<T: Send + 'static>(
    shell: &Arc<Shell>,
    begin: impl FnOnce(&mut Windows, oneshot::Sender<T>) -> Done<()> + Send + 'static,
) -> Done<T> {
    let (done, result) = oneshot::channel();
    shell.ui.ask(move |windows, _| begin(windows, done)).await??;
    result.await.map_err(|_| CallError::new(ErrorCode::Cancelled, "it was closed with its window"))
}

fn clipboard() -> Done<gtk::Clipboard> {
    let display = gdk::Display::default().ok_or_else(|| failed("there is no display"))?;
    gtk::Clipboard::default(&display).ok_or_else(|| failed("there is no clipboard"))
}

/// Whether windows can be shown. Known before anything counts on it: without a display nobody is at fault.
///
/// # Errors
/// A sentence for people.
pub fn has_display() -> Result<(), String> {
    gtk::init().map_err(|error| {
        format!("no window can be shown: {error}; DISPLAY or WAYLAND_DISPLAY is to name a display this user may use")
    })
}

/// The text of the clipboard.
pub async fn clipboard_text(shell: &Arc<Shell>) -> Done<Option<String>> {
    later(shell, |_, done| {
        clipboard()?.request_text(move |_, text| {
            let _ = done.send(text.map(ToString::to_string));
        });
        Ok(())
    })
    .await
}

/// The HTML of the clipboard.
pub async fn clipboard_html(shell: &Arc<Shell>) -> Done<Option<String>> {
    later(shell, |_, done| {
        clipboard()?.request_contents(&gdk::Atom::intern("text/html"), move |_, selection| {
            let bytes = selection.data();
            let _ = done.send((!bytes.is_empty()).then(|| text_of(&bytes)));
        });
        Ok(())
    })
    .await
}

/// HTML of other programs: UTF-8, or UTF-16 with its mark.
fn text_of(bytes: &[u8]) -> String {
    let text = match bytes {
        [0xff, 0xfe, rest @ ..] => {
            let units: Vec<u16> =
                rest.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
            String::from_utf16_lossy(&units)
        }
        _ => String::from_utf8_lossy(bytes).into_owned(),
    };
    text.trim_end_matches('\0').to_string()
}

/// The image of the clipboard, as PNG.
pub async fn clipboard_png(shell: &Arc<Shell>) -> Done<Option<Vec<u8>>> {
    later(shell, |_, done| {
        clipboard()?.request_image(move |_, image| {
            let _ = done.send(image.and_then(|image| image.save_to_bufferv("png", &[]).ok()));
        });
        Ok(())
    })
    .await
}

async fn write(
    shell: &Arc<Shell>,
    write: impl FnOnce(&gtk::Clipboard) -> Done<()> + Send + 'static,
) -> Answer {
    shell
        .ui
        .ask(move |_, _| {
            let clipboard = clipboard()?;
            write(&clipboard)?;
            // Kept by the desktop when the app ends, where it does such a thing.
            clipboard.store();
            Ok::<_, CallError>(())
        })
        .await??;
    Ok(Value::Null)
}

/// Puts a text into the clipboard.
pub async fn clipboard_set_text(shell: &Arc<Shell>, text: String) -> Answer {
    write(shell, move |clipboard| {
        clipboard.set_text(&text);
        Ok(())
    })
    .await
}

/// Puts HTML into the clipboard, and a text for programs that take none.
pub async fn clipboard_set_html(shell: &Arc<Shell>, html: String, text: String) -> Answer {
    write(shell, move |clipboard| {
        const HTML: u32 = 0;
        let entry = |name: &str, info| gtk::TargetEntry::new(name, gtk::TargetFlags::empty(), info);
        let targets =
            [entry("text/html", HTML), entry("UTF8_STRING", 1), entry("text/plain;charset=utf-8", 1)];
        let given = clipboard.set_with_data(&targets, move |_, selection, info| {
            if info == HTML {
                selection.set(&gdk::Atom::intern("text/html"), 8, html.as_bytes());
            } else {
                selection.set_text(&text);
            }
        });
        if given { Ok(()) } else { Err(failed("the clipboard takes no HTML")) }
    })
    .await
}

/// Puts an image into the clipboard.
pub async fn clipboard_set_png(shell: &Arc<Shell>, png: Vec<u8>) -> Answer {
    write(shell, move |clipboard| {
        let unreadable = |error: glib::Error| {
            CallError::new(ErrorCode::InvalidArguments, format!("the image is no PNG: {error}"))
        };
        let loader = gdk_pixbuf::PixbufLoader::with_type("png").map_err(unreadable)?;
        let written = loader.write(&png);
        loader.close().and(written).map_err(unreadable)?;
        clipboard.set_image(&loader.pixbuf().ok_or_else(|| failed("the image is empty"))?);
        Ok(())
    })
    .await
}

/// Empties the clipboard.
pub async fn clipboard_clear(shell: &Arc<Shell>) -> Done<()> {
    shell
        .ui
        .ask(|_, _| {
            // Only its owner can empty it.
            let clipboard = clipboard()?;
            clipboard.set_text("");
            clipboard.clear();
            Ok(())
        })
        .await?
}

thread_local! {
    /// File dialogs that are open: they go when nobody holds them.
    static DIALOGS: RefCell<Vec<gtk::FileChooserNative>> = const { RefCell::new(Vec::new()) };
    static IS_LISTENING: Cell<bool> = const { Cell::new(false) };
}

fn parent(windows: &Windows, label: Option<&str>) -> Done<Option<gtk::ApplicationWindow>> {
    label.map(|label| Ok(windows.window(label)?.gtk_window().clone())).transpose()
}

/// Has the user choose paths; `None` when they did not.
pub async fn choose(
    shell: &Arc<Shell>,
    label: Option<String>,
    chooser: Chooser,
) -> Done<Option<Vec<String>>> {
    let paths = later(shell, move |windows, done| {
        let parent = parent(windows, label.as_deref())?;
        let action = match chooser.choice {
            Choice::File | Choice::Files => gtk::FileChooserAction::Open,
            Choice::Folder => gtk::FileChooserAction::SelectFolder,
            Choice::Save(_) => gtk::FileChooserAction::Save,
        };
        let title = (!chooser.title.is_empty()).then_some(chooser.title.as_str());
        let dialog = gtk::FileChooserNative::new(title, parent.as_ref(), action, None, None);
        dialog.set_modal(true);
        dialog.set_select_multiple(matches!(chooser.choice, Choice::Files));
        dialog.set_do_overwrite_confirmation(true);
        if let Choice::Save(name) = &chooser.choice {
            dialog.set_current_name(name);
        }
        if let Some(directory) = &chooser.directory {
            dialog.set_current_folder(directory);
        }
        for filter in &chooser.filters {
            let shown = gtk::FileFilter::new();
            shown.set_name(Some(&filter.name));
            for extension in &filter.extensions {
                shown.add_pattern(&if extension == "*" { "*".into() } else { format!("*.{extension}") });
            }
            dialog.add_filter(shown);
        }
        let done = Cell::new(Some(done));
        dialog.connect_response(move |dialog, response| {
            let chosen = (response == gtk::ResponseType::Accept).then(|| dialog.filenames());
            if let Some(done) = done.take() {
                let _ = done.send(chosen);
            }
            DIALOGS.with_borrow_mut(|dialogs| dialogs.retain(|open| open != dialog));
        });
        dialog.show();
        DIALOGS.with_borrow_mut(|dialogs| dialogs.push(dialog));
        Ok(())
    })
    .await?;
    let text = |path: std::path::PathBuf| {
        path.into_os_string().into_string().map_err(|path| {
            failed(format!("the path {} is no UTF-8, which a page can not hold", path.display()))
        })
    };
    paths.map(|paths| paths.into_iter().map(text).collect()).transpose()
}

/// Asks the user something: the number of the button, or `None` when it was closed.
pub async fn question(shell: &Arc<Shell>, label: Option<String>, question: Question) -> Done<Option<usize>> {
    later(shell, move |windows, done| {
        let parent = parent(windows, label.as_deref())?;
        let kind = match question.level {
            Level::Info => gtk::MessageType::Info,
            Level::Warning => gtk::MessageType::Warning,
            Level::Error => gtk::MessageType::Error,
        };
        let flags = gtk::DialogFlags::MODAL | gtk::DialogFlags::DESTROY_WITH_PARENT;
        let dialog =
            gtk::MessageDialog::new(parent.as_ref(), flags, kind, gtk::ButtonsType::None, &question.text);
        if !question.detail.is_empty() {
            dialog.set_secondary_text(Some(&question.detail));
        }
        for (number, button) in (0..).zip(&question.buttons) {
            dialog.add_button(button, gtk::ResponseType::Other(number));
            dialog.set_default_response(gtk::ResponseType::Other(number));
        }
        let done = Cell::new(Some(done));
        dialog.connect_response(move |dialog, response| {
            let pressed = match response {
                gtk::ResponseType::Other(number) => Some(usize::from(number)),
                _ => None,
            };
            if let Some(done) = done.take() {
                let _ = done.send(pressed);
            }
            // SAFETY: the dialog is this handler's own; nothing uses it after its answer.
            unsafe { dialog.destroy() };
        });
        dialog.show_all();
        Ok(())
    })
    .await
}

const NOTIFICATIONS: &str = "org.freedesktop.Notifications";
const NOTIFICATIONS_PATH: &str = "/org/freedesktop/Notifications";

/// Calls a program of the desktop. Waits: not for the windows' thread.
fn call(name: &str, path: &str, method: &str, parameters: &Variant) -> Result<Variant, glib::Error> {
    let bus = gio::bus_get_sync(BusType::Session, gio::Cancellable::NONE)?;
    bus.call_sync(
        Some(name),
        path,
        name,
        method,
        Some(parameters),
        None,
        DBusCallFlags::NONE,
        DESKTOP_TIMEOUT_MS,
        gio::Cancellable::NONE,
    )
}

async fn call_notifications(
    method: &'static str,
    parameters: impl FnOnce() -> Variant + Send + 'static,
) -> Done<Variant> {
    tokio::task::spawn_blocking(move || call(NOTIFICATIONS, NOTIFICATIONS_PATH, method, &parameters()))
        .await
        .map_err(|error| failed(error.to_string()))?
        .map_err(|error| failed(format!("this desktop shows no notifications: {}", error.message())))
}

/// Shows a notification and says its number.
pub async fn notify(shell: &Arc<Shell>, title: String, body: String, actions: Vec<Action>) -> Done<u32> {
    let listener = shell.clone();
    shell.ui.ask(move |_, _| listen_to_notifications(&listener)).await??;
    let name = shell.facts().name;
    // Where the body is markup, a text that came from anywhere must not become one.
    let can = call_notifications("GetCapabilities", || ().to_variant()).await?;
    let can = can.try_child_value(0).and_then(|can| can.get::<Vec<String>>()).unwrap_or_default();
    let is_markup = can.iter().any(|one| one == "body-markup");
    let body = if is_markup { glib::markup_escape_text(&body).to_string() } else { body };
    let shown = call_notifications("Notify", move || {
        let mut buttons = vec!["default".to_string(), String::new()];
        for action in actions {
            buttons.extend([action.id, action.label]);
        }
        let hints = glib::VariantDict::new(None).end();
        // Put together by hand: a value that is a variant already would be boxed in another one.
        Variant::tuple_from_iter([
            name.to_variant(),
            0_u32.to_variant(),
            "".to_variant(),
            title.to_variant(),
            body.to_variant(),
            buttons.to_variant(),
            hints,
            (-1_i32).to_variant(),
        ])
    })
    .await?;
    let id = shown.try_child_value(0).and_then(|id| id.get::<u32>());
    let id = id.ok_or_else(|| failed("the desktop did not say the notification's number"))?;
    own_notifications().insert(id);
    Ok(id)
}

/// Takes a notification away.
pub async fn close_notification(_shell: &Arc<Shell>, id: u32) -> Done<()> {
    call_notifications("CloseNotification", move || (id,).to_variant()).await.map(drop)
}

/// The numbers of those this app shows.
fn own_notifications() -> std::sync::MutexGuard<'static, std::collections::BTreeSet<u32>> {
    static OWN: std::sync::Mutex<std::collections::BTreeSet<u32>> =
        std::sync::Mutex::new(std::collections::BTreeSet::new());
    OWN.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Hears what happens to notifications, from the first one on.
fn listen_to_notifications(shell: &Arc<Shell>) -> Done<()> {
    if IS_LISTENING.get() {
        return Ok(());
    }
    let bus = gio::bus_get_sync(BusType::Session, gio::Cancellable::NONE)
        .map_err(|error| failed(format!("there is no session bus: {}", error.message())))?;
    let shell = shell.clone();
    bus.signal_subscribe(
        Some(NOTIFICATIONS),
        Some(NOTIFICATIONS),
        None,
        Some(NOTIFICATIONS_PATH),
        None,
        DBusSignalFlags::NONE,
        move |_, _, _, _, signal, parameters| {
            let Some(id) = parameters.try_child_value(0).and_then(|id| id.get::<u32>()) else { return };
            // The service tells everybody of everybody's.
            if !own_notifications().contains(&id) {
                return;
            }
            let what = match signal {
                "ActionInvoked" => {
                    match parameters.try_child_value(1).and_then(|action| action.get::<String>()) {
                        Some(action) if action != "default" => NotificationNews::Action { action },
                        _ => NotificationNews::Clicked,
                    }
                }
                "NotificationClosed" => {
                    own_notifications().remove(&id);
                    NotificationNews::Closed
                }
                _ => return,
            };
            shell.tell_natively("notification", "", &NotificationEvent { id, what });
        },
    );
    IS_LISTENING.set(true);
    Ok(())
}

/// Shows a file in the file manager; its folder where the file manager can not do that.
pub fn reveal(path: &Path) -> std::io::Result<()> {
    let address = gio::File::for_path(path).uri().to_string();
    let shown = call(
        "org.freedesktop.FileManager1",
        "/org/freedesktop/FileManager1",
        "ShowItems",
        &(vec![address], "").to_variant(),
    );
    match shown {
        Ok(_) => Ok(()),
        Err(_) => open::that_detached(path.parent().unwrap_or(path)),
    }
}

#[cfg(test)]
mod tests {
    use super::text_of;

    #[test]
    fn html_of_other_programs_is_read_in_both_encodings() {
        assert_eq!(text_of("<b>a</b>".as_bytes()), "<b>a</b>");
        assert_eq!(text_of(b"\xff\xfe<\0b\0>\0\0\0"), "<b>");
    }
}
