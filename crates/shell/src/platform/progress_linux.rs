//! Progress at the app's icon: the signal that KDE's task bar, GNOME's docks and Unity listen to.
//!
//! Not by tao: that asks `libunity`, a library no distribution has brought along for years, and Unity alone
//! (<https://wiki.ubuntu.com/Unity/LauncherAPI#Low_level_DBus_API:_com.canonical.Unity.LauncherEntry>).

use gtk::gio::{self, BusType, Cancellable};
use gtk::glib::{ToVariant, VariantDict};
use staysail_protocol::desktop::window::Progress;
use std::path::Path;

/// Shows progress at the icon of the app, whose desktop entry has its id as name.
pub fn set_progress(progress: Progress, data_dir: &str) {
    let id = Path::new(data_dir).parent().and_then(Path::file_name).and_then(|name| name.to_str());
    let Some(id) = id.map(str::to_string) else { return };
    let (fraction, is_shown) = match progress {
        Progress::None => (0.0, false),
        // The interface knows no such thing; a bar that has just begun says that something goes on.
        Progress::Indeterminate => (0.0, true),
        Progress::Percent(percent) | Progress::Error(percent) => (percent.min(100) as f64 / 100.0, true),
    };
    let is_urgent = matches!(progress, Progress::Error(_));
    // Never waited for: a desktop without a session bus shows nothing.
    gio::bus_get(BusType::Session, Cancellable::NONE, move |bus| {
        let Ok(bus) = bus else { return };
        // An app that is installed, and one that has registered itself.
        for entry in [format!("{id}.desktop"), format!("{id}.staysail.desktop")] {
            let address = format!("application://{entry}");
            let path = format!("/com/canonical/unity/launcherentry/{}", hash(&address));
            let properties = VariantDict::new(None);
            properties.insert("progress", fraction);
            properties.insert("progress-visible", is_shown);
            properties.insert("urgent", is_urgent);
            let told = gtk::glib::Variant::tuple_from_iter([address.to_variant(), properties.end()]);
            let sent =
                bus.emit_signal(None, &path, "com.canonical.Unity.LauncherEntry", "Update", Some(&told));
            if let Err(error) = sent {
                tracing::debug!(%error, "progress is not shown");
            }
        }
    });
}

/// djb2, which libunity names its objects by.
fn hash(text: &str) -> u32 {
    text.bytes().fold(5_381, |hash: u32, byte| hash.wrapping_mul(33).wrapping_add(u32::from(byte)))
}
