//! Files of other programs that are dragged over a page.
//!
//! # Theory of operation
//! WebKit asks for what is dragged as soon as it comes over the view, and GTK tells everybody who listens. So this only
//! listens: the page's own drag and drop goes its way, a drag within the page is none of ours, and nothing is consumed.
//! GTK says that a drag has left right before it says that it was dropped; which of the two it was is known a turn of
//! the loop later.

use crate::desktop::drops;
use crate::shell::Shell;
use gtk::SelectionData;
use gtk::gdk::DragContext;
use gtk::gio;
use gtk::glib;
use gtk::glib::translate::ToGlibPtr;
use gtk::prelude::{DragContextExtManual, FileExt, WidgetExt};
use staysail_protocol::desktop::drop::DropKind;
use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use webkit2gtk::{WebView as GtkWebView, WebViewExt};

#[derive(Clone, Copy, PartialEq)]
enum State {
    Outside,
    Inside,
    Leaving,
}

struct Drag {
    shell: Arc<Shell>,
    label: String,
    state: Cell<State>,
    position: Cell<(i32, i32)>,
    paths: RefCell<Vec<PathBuf>>,
}

impl Drag {
    fn tell(&self, view: &GtkWebView, kind: DropKind) {
        let (x, y) = self.position.get();
        let zoom = view.zoom_level().max(f64::MIN_POSITIVE);
        let position = (f64::from(x) / zoom, f64::from(y) / zoom);
        let paths = self.paths.borrow();
        let named: &[PathBuf] =
            if matches!(kind, DropKind::Enter | DropKind::Dropped) { &paths } else { &[] };
        drops::tell(&self.shell, &self.label, kind, named, position);
    }
}

/// Listens to the drags over a view.
pub fn listen(view: &GtkWebView, shell: &Arc<Shell>, label: &str) {
    let drag = Rc::new(Drag {
        shell: shell.clone(),
        label: label.into(),
        state: Cell::new(State::Outside),
        position: Cell::default(),
        paths: RefCell::default(),
    });
    let received = drag.clone();
    view.connect_drag_data_received(move |view, context, _, _, data, _, _| {
        if is_own(context) {
            return;
        }
        let is_list = data.data_type().name() == "text/uri-list";
        let addresses = if is_list { data.uris() } else { Vec::new() };
        let may_know = received.shell.granted(&received.label, |granted| granted.group("drop"));
        if !may_know && tells_a_path(&data.data()) {
            // WebKit comes after this and passes on what it finds: the path of a file, as the text of a link.
            blank(data);
        }
        if !is_list || received.state.get() == State::Inside {
            return;
        }
        let paths: Vec<PathBuf> = addresses.iter().filter_map(|address| path_of(address)).collect();
        if paths.is_empty() {
            return;
        }
        received.paths.replace(paths);
        received.state.set(State::Inside);
        // Where it is, the last motion has said: the coordinates that come with the data are none on X11.
        received.tell(view, DropKind::Enter);
    });
    let moved = drag.clone();
    view.connect_drag_motion(move |view, _, x, y, _| {
        let was = moved.position.replace((x, y));
        if moved.state.get() == State::Inside && was != (x, y) {
            moved.tell(view, DropKind::Over);
        }
        false
    });
    let dropped = drag.clone();
    view.connect_drag_drop(move |view, _, x, y, _| {
        if dropped.state.replace(State::Outside) != State::Outside {
            dropped.position.set((x, y));
            dropped.tell(view, DropKind::Dropped);
            dropped.paths.take();
        }
        false
    });
    view.connect_drag_leave(move |view, _, _| {
        if drag.state.get() != State::Inside {
            return;
        }
        drag.state.set(State::Leaving);
        let (drag, view) = (drag.clone(), view.clone());
        glib::idle_add_local_once(move || {
            if drag.state.get() == State::Leaving {
                drag.state.set(State::Outside);
                drag.tell(&view, DropKind::Left);
                drag.paths.take();
            }
        });
    });
}

/// Dragged from this app: the page knows what it is.
fn is_own(context: &DragContext) -> bool {
    context.drag_get_source_widget().is_some()
}

/// Writes spaces over what is dragged, in its place: GTK frees the memory it has itself, so nothing else may be put there.
fn blank(data: &SelectionData) {
    let pointer: *const gtk::ffi::GtkSelectionData = data.to_glib_none().0;
    let mut length = 0;
    // SAFETY: the data is GTK's own, on the heap, alive as long as the signal is handled and used on this thread only;
    // of the bytes it has, none more is written.
    unsafe {
        let bytes = gtk::ffi::gtk_selection_data_get_data_with_length(pointer, &mut length);
        if let Ok(length) = usize::try_from(length)
            && !bytes.is_null()
        {
            std::ptr::write_bytes(bytes.cast_mut(), b' ', length);
        }
    }
}

/// Whether what is dragged names a file: as an address, or as a path in a line of its own.
fn tells_a_path(data: &[u8]) -> bool {
    // Text of some programs is UTF-16.
    let text: Vec<u8> = data.iter().copied().filter(|byte| *byte != 0).collect();
    let text = String::from_utf8_lossy(&text).to_ascii_lowercase();
    text.contains("file:") || text.lines().any(|line| line.trim_start().starts_with('/'))
}

/// The path of a `file:` address of this machine. What is on the web, or on another machine, has none.
fn path_of(address: &str) -> Option<PathBuf> {
    address.to_ascii_lowercase().starts_with("file:").then(|| gio::File::for_uri(address).path())?
}

#[cfg(test)]
mod tests {
    use super::{path_of, tells_a_path};
    use std::path::Path;

    #[test]
    fn what_names_a_file_is_known_in_every_form_programs_offer_it() {
        for (data, tells) in [
            (&b"file:///srv/ada/a.txt\r\n"[..], true),
            (b"f\0i\0l\0e\0:\0/\0/\0/\0a\0", true),
            (b"<a href=\"FILE:///a\">a</a>", true),
            (b"copy\n/srv/ada/a.txt", true),
            (b"https://example.com/a", false),
            (b"a note, and/or two", false),
        ] {
            assert_eq!(tells_a_path(data), tells, "{}", String::from_utf8_lossy(data));
        }
    }

    #[test]
    fn only_files_have_paths() {
        assert_eq!(path_of("file:///a%20b/%C3%BC.txt").as_deref(), Some(Path::new("/a b/ü.txt")));
        assert_eq!(path_of("https://example.com/a.txt"), None);
        assert_eq!(path_of("/etc/passwd"), None);
    }
}
