//! Keeping the machine awake, by whatever service of the desktop can.

use gtk::gio::{self, BusType, DBusCallFlags};
use gtk::glib::{ToVariant, Variant};
use gtk::prelude::UnixFDListExtManual;
use staysail_protocol::limits::DESKTOP_TIMEOUT_MS;
use std::os::fd::{FromRawFd, OwnedFd};

/// A service that keeps awake until its cookie is given back.
struct Service {
    name: &'static str,
    path: &'static str,
    interface: &'static str,
    release: &'static str,
    /// GNOME's service wants more, and what is to be kept from happening.
    gnome_flags: Option<u32>,
}

const SCREEN_SAVER: Service = Service {
    name: "org.freedesktop.ScreenSaver",
    path: "/org/freedesktop/ScreenSaver",
    interface: "org.freedesktop.ScreenSaver",
    release: "UnInhibit",
    gnome_flags: None,
};
const POWER_MANAGEMENT: Service = Service {
    name: "org.freedesktop.PowerManagement",
    path: "/org/freedesktop/PowerManagement/Inhibit",
    interface: "org.freedesktop.PowerManagement.Inhibit",
    release: "UnInhibit",
    gnome_flags: None,
};
/// Of `org.gnome.SessionManager.Inhibit`: no suspending, and no going idle, which blanks the screen.
const SUSPEND: u32 = 4;
const IDLE: u32 = 8;

const fn session_manager(flags: u32) -> Service {
    Service {
        name: "org.gnome.SessionManager",
        path: "/org/gnome/SessionManager",
        interface: "org.gnome.SessionManager",
        release: "Uninhibit",
        gnome_flags: Some(flags),
    }
}

/// The machine is kept awake until this is dropped. Waits for other programs: not for the windows' thread.
pub struct Hold(Kind);

enum Kind {
    Cookie(Service, u32),
    /// Held as long as it is open.
    Lock(OwnedFd),
}

impl Hold {
    /// Keeps it awake.
    ///
    /// # Errors
    /// A sentence for people: no service of this desktop can.
    pub fn take(app: &str, reason: &str, display: bool) -> Result<Self, String> {
        let services = if display {
            [SCREEN_SAVER, session_manager(IDLE)]
        } else {
            [POWER_MANAGEMENT, session_manager(SUSPEND)]
        };
        let mut said = Vec::new();
        for service in services {
            match inhibit(&service, app, reason) {
                Ok(cookie) => return Ok(Self(Kind::Cookie(service, cookie))),
                Err(error) => said.push(format!("{}: {error}", service.name)),
            }
        }
        if !display {
            match log_in_lock(app, reason) {
                Ok(lock) => return Ok(Self(Kind::Lock(lock))),
                Err(error) => said.push(format!("org.freedesktop.login1: {error}")),
            }
        }
        Err(format!("nothing on this desktop keeps the machine awake: {}", said.join("; ")))
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        match &self.0 {
            Kind::Cookie(service, cookie) => {
                if let Err(error) = call(service, service.release, &(*cookie,).to_variant()) {
                    let service = service.name;
                    tracing::warn!(
                        service,
                        error,
                        "a wish to keep the machine awake could not be taken back"
                    );
                }
            }
            // It ends as it is closed, right after this.
            Kind::Lock(lock) => tracing::debug!(?lock, "the machine may fall asleep again"),
        }
    }
}

fn inhibit(service: &Service, app: &str, reason: &str) -> Result<u32, String> {
    let parameters = match service.gnome_flags {
        Some(flags) => (app, 0_u32, reason, flags).to_variant(),
        None => (app, reason).to_variant(),
    };
    let answer = call(service, "Inhibit", &parameters)?;
    answer.try_child_value(0).and_then(|cookie| cookie.get()).ok_or_else(|| "it gave no number".into())
}

fn call(service: &Service, method: &str, parameters: &Variant) -> Result<Variant, String> {
    let bus = gio::bus_get_sync(BusType::Session, gio::Cancellable::NONE)
        .map_err(|error| error.message().to_string())?;
    bus.call_sync(
        Some(service.name),
        service.path,
        service.interface,
        method,
        Some(parameters),
        None,
        DBusCallFlags::NONE,
        DESKTOP_TIMEOUT_MS as i32,
        gio::Cancellable::NONE,
    )
    .map_err(|error| error.message().to_string())
}

/// systemd's own, where no desktop is in charge: no action for want of use.
fn log_in_lock(app: &str, reason: &str) -> Result<OwnedFd, String> {
    let bus = gio::bus_get_sync(BusType::System, gio::Cancellable::NONE)
        .map_err(|error| error.message().to_string())?;
    let (answer, descriptors) = bus
        .call_with_unix_fd_list_sync(
            Some("org.freedesktop.login1"),
            "/org/freedesktop/login1",
            "org.freedesktop.login1.Manager",
            "Inhibit",
            Some(&("idle", app, reason, "block").to_variant()),
            None,
            DBusCallFlags::NONE,
            DESKTOP_TIMEOUT_MS as i32,
            gio::UnixFDList::NONE,
            gio::Cancellable::NONE,
        )
        .map_err(|error| error.message().to_string())?;
    let index = answer.try_child_value(0).and_then(|handle| handle.get::<gtk::glib::variant::Handle>());
    let Some(index) = index else { return Err("it gave no lock".into()) };
    let descriptor = descriptors.get(index.0).map_err(|error| error.message().to_string())?;
    // SAFETY: GIO gives a duplicate that is the caller's to close.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}
