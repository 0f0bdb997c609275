//! Another program for tests to drag files from: a small window whose whole area offers the addresses it was given.

#[cfg(target_os = "linux")]
fn main() {
    use gtk::prelude::*;
    let addresses: Vec<String> = std::env::args().skip(1).collect();
    if gtk::init().is_err() {
        return eprintln!("drag-source needs a display");
    }
    let window = gtk::Window::new(gtk::WindowType::Toplevel);
    window.set_title("drag source");
    window.set_decorated(false);
    window.set_default_size(160, 80);
    let area = gtk::EventBox::new();
    area.add(&gtk::Label::new(Some("files")));
    let targets = [gtk::TargetEntry::new("text/uri-list", gtk::TargetFlags::OTHER_APP, 0)];
    area.drag_source_set(gtk::gdk::ModifierType::BUTTON1_MASK, &targets, gtk::gdk::DragAction::COPY);
    area.connect_drag_data_get(move |_, _, selection, _, _| {
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        selection.set_uris(&addresses);
    });
    area.connect_drag_end(|_, _| println!("drag ended"));
    window.add(&area);
    window.connect_delete_event(|_, _| {
        gtk::main_quit();
        gtk::glib::Propagation::Proceed
    });
    window.show_all();
    window.move_(1_100, 800);
    gtk::main();
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("drag-source is for tests under X11");
}
