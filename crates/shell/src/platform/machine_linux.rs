//! What Linux tells of machine and moment. Everything here may wait for other programs: not for the windows' thread.

#[path = "machine_unix.rs"]
mod unix;

use gtk::gio::{self, BusType, DBusCallFlags};
use gtk::glib::{ToVariant, Variant};
use std::path::Path;
use std::time::{Duration, SystemTime};
use x11_dl::xlib::Xlib;
use x11_dl::xss::Xss;

pub use unix::{free_disk_bytes, load_per_core, local_offset_s};

/// A program of the desktop answers within this time, or is not asked.
const ANSWER_TIMEOUT_MS: i32 = 300;
const SUPPLIES: &str = "/sys/class/power_supply";

/// Time since the user last touched something: of the X server, of GNOME's compositor, or since systemd was told that
/// nobody is there.
pub fn idle() -> Option<Duration> {
    // The X server of a Wayland desktop hears only what goes to X windows.
    if std::env::var_os("WAYLAND_DISPLAY").is_none()
        && let Some(idle) = idle_of_x11()
    {
        return Some(idle);
    }
    idle_of_mutter().or_else(idle_of_systemd)
}

fn idle_of_x11() -> Option<Duration> {
    let (xlib, saver) = (Xlib::open().ok()?, Xss::open().ok()?);
    // SAFETY: an own connection, used by this thread alone and closed below. The information is asked for only where the
    // extension is there, into memory that the library allocated for it and that is freed once, after its last use.
    unsafe {
        let display = (xlib.XOpenDisplay)(std::ptr::null());
        if display.is_null() {
            return None;
        }
        let (mut event, mut error) = (0, 0);
        let mut idle = None;
        if (saver.XScreenSaverQueryExtension)(display, &raw mut event, &raw mut error) != 0 {
            let information = (saver.XScreenSaverAllocInfo)();
            if !information.is_null() {
                let root = (xlib.XDefaultRootWindow)(display);
                if (saver.XScreenSaverQueryInfo)(display, root, information) != 0 {
                    idle = Some(Duration::from_millis((*information).idle));
                }
                (xlib.XFree)(information.cast());
            }
        }
        (xlib.XCloseDisplay)(display);
        idle
    }
}

fn idle_of_mutter() -> Option<Duration> {
    let place = ("org.gnome.Mutter.IdleMonitor", "/org/gnome/Mutter/IdleMonitor/Core");
    let answer = call(BusType::Session, place, (place.0, "GetIdletime"), None)?;
    answer.try_child_value(0)?.get::<u64>().map(Duration::from_millis)
}

fn idle_of_systemd() -> Option<Duration> {
    let place = ("org.freedesktop.login1", "/org/freedesktop/login1/session/auto");
    let of = |name| property(place, "org.freedesktop.login1.Session", name);
    of("IdleHint")?.get::<bool>()?.then_some(())?;
    let since = SystemTime::UNIX_EPOCH + Duration::from_micros(of("IdleSinceHint")?.get::<u64>()?);
    SystemTime::now().duration_since(since).ok()
}

/// Whether NetworkManager knows, or guesses, that bytes cost money.
pub fn metered() -> Option<bool> {
    let place = ("org.freedesktop.NetworkManager", "/org/freedesktop/NetworkManager");
    // NMMetered: 1 yes, 2 no, 3 probably, 4 probably not.
    match property(place, place.0, "Metered")?.get::<u32>()? {
        1 | 3 => Some(true),
        2 | 4 => Some(false),
        _ => None,
    }
}

fn property(place: (&str, &str), interface: &str, name: &str) -> Option<Variant> {
    let properties = ("org.freedesktop.DBus.Properties", "Get");
    let answer = call(BusType::System, place, properties, Some(&(interface, name).to_variant()))?;
    answer.try_child_value(0)?.as_variant()
}

/// Calls `(name, path)`, `(interface, method)` of a program that runs already.
fn call(
    bus: BusType,
    place: (&str, &str),
    method: (&str, &str),
    parameters: Option<&Variant>,
) -> Option<Variant> {
    let bus = gio::bus_get_sync(bus, gio::Cancellable::NONE).ok()?;
    bus.call_sync(
        Some(place.0),
        place.1,
        method.0,
        method.1,
        parameters,
        None,
        DBusCallFlags::NO_AUTO_START,
        ANSWER_TIMEOUT_MS,
        gio::Cancellable::NONE,
    )
    .ok()
}

/// Whether a battery is being emptied, and how full the batteries are.
pub fn battery() -> (Option<bool>, Option<i64>) {
    battery_in(Path::new(SUPPLIES))
}

fn battery_in(folder: &Path) -> (Option<bool>, Option<i64>) {
    let Ok(supplies) = std::fs::read_dir(folder) else { return (None, None) };
    let (mut discharging, mut charges) = (false, Vec::new());
    for supply in supplies.flatten() {
        let read = |name| std::fs::read_to_string(supply.path().join(name)).unwrap_or_default();
        // Mice and headsets have batteries, too: of scope "Device".
        if read("type").trim() != "Battery" || read("scope").trim() == "Device" {
            continue;
        }
        discharging |= read("status").trim() == "Discharging";
        charges.extend(read("capacity").trim().parse::<i64>());
    }
    let mean = match i64::try_from(charges.len()) {
        Ok(count) if count > 0 => charges.iter().sum::<i64>() / count,
        _ => 100,
    };
    (Some(discharging), Some(mean))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batteries_of_the_machine_count_and_those_of_mice_do_not() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, files: &[(&str, &str)]| {
            let folder = folder.path().join(name);
            std::fs::create_dir(&folder).unwrap();
            files.iter().for_each(|(file, text)| std::fs::write(folder.join(file), text).unwrap());
        };
        assert_eq!(battery_in(folder.path()), (Some(false), Some(100)));
        put("AC", &[("type", "Mains\n"), ("online", "1\n")]);
        put(
            "mouse",
            &[("type", "Battery\n"), ("scope", "Device\n"), ("status", "Discharging\n"), ("capacity", "3\n")],
        );
        assert_eq!(battery_in(folder.path()), (Some(false), Some(100)));
        put("BAT0", &[("type", "Battery\n"), ("status", "Discharging\n"), ("capacity", "40\n")]);
        put("BAT1", &[("type", "Battery\n"), ("status", "Full\n"), ("capacity", "100\n")]);
        assert_eq!(battery_in(folder.path()), (Some(true), Some(70)));
        assert_eq!(battery_in(&folder.path().join("none")), (None, None));
    }

    #[test]
    fn what_every_machine_tells_is_sensible() {
        assert!(load_per_core().unwrap() >= 0.0);
        assert!(free_disk_bytes(Path::new("/")).is_some());
        assert_eq!(free_disk_bytes(Path::new("/nowhere/at/all")), None);
        assert!(local_offset_s(1_795_869_296).unwrap().abs() <= 14 * 3_600);
    }
}
