//! What an assistive program, a screen reader for one, sees of the app: AT-SPI, by D-Bus.
//!
//! # Theory of operation
//! AT-SPI has a bus of its own, which `at-spi-bus-launcher` starts for a session. Programs register there and answer for
//! their widgets; a page is answered for by its web process. An object is named by the program that has it and a path,
//! which stay as long as the object does.

use crate::child::Program;
use crate::desktop_bus::{DesktopBus, Ear};
use crate::stage::Stage;
use anyhow::Context;
use gio::glib::ToVariant;
use std::path::Path;
use std::time::Duration;

/// Longest wait for anything assistive programs are told.
const PATIENCE: Duration = Duration::from_secs(60);
/// Deeper than any page of the tests.
const DEPTH_MAX: usize = 40;

/// Numbers of AT-SPI's roles (`atspi-constants.h`).
pub mod role {
    /// An entry that can be checked, of a menu.
    pub const CHECK_MENU_ITEM: u32 = 8;
    /// An entry of a menu that opens another.
    pub const MENU: u32 = 33;
    /// An entry of a menu.
    pub const MENU_ITEM: u32 = 35;
    /// A button.
    pub const PUSH_BUTTON: u32 = 43;
}

/// The bus of assistive programs; gone when dropped.
pub struct Accessibility {
    ear: Ear,
    _launcher: Program,
}

/// Something on the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// What it is; see [`role`].
    pub role: u32,
    /// What it is called.
    pub name: String,
    program: String,
    path: String,
}

impl Object {
    /// Whether it is that very object, whatever it is called now.
    pub fn is(&self, other: &Self) -> bool {
        (&self.program, &self.path) == (&other.program, &other.path)
    }
}

impl Accessibility {
    /// Starts it for a session. Programs of the session that are started from now on, with [`VARIABLE`], answer.
    ///
    /// # Errors
    /// When `at-spi-bus-launcher` is missing or does not come up.
    pub fn start(stage: &Stage, bus: &DesktopBus) -> anyhow::Result<Self> {
        let service = "/usr/share/dbus-1/services/org.a11y.Bus.service";
        let text = std::fs::read_to_string(service)
            .with_context(|| format!("reading {service} (Debian: at-spi2-core)"))?;
        let launcher = text.lines().find_map(|line| line.strip_prefix("Exec=")).context("no Exec= in it")?;
        let launcher = launcher.split_whitespace().next().unwrap_or_default();
        let mut command = stage.command(Path::new(launcher));
        command.arg("--launch-immediately").envs([bus.variable()]);
        let launcher = Program::start("at-spi-bus-launcher", command)?;
        let session = bus.listen()?;
        let address = crate::wait_until("the bus of assistive programs", PATIENCE, || {
            let address = session.ask("org.a11y.Bus", "/org/a11y/bus", "org.a11y.Bus", "GetAddress", None);
            let address = address.map_err(|error| format!("{error:#}"))?;
            address.child_value(0).get::<String>().ok_or_else(|| "no address".to_string())
        })?;
        Ok(Self { ear: Ear::at(&address)?, _launcher: launcher })
    }

    /// All objects of all programs.
    ///
    /// # Errors
    /// When the registry of programs does not answer. One that goes away meanwhile is left out.
    pub fn objects(&self) -> anyhow::Result<Vec<Object>> {
        let (registry, root) = ("org.a11y.atspi.Registry", "/org/a11y/atspi/accessible/root");
        let programs = self.children(registry, root)?;
        let mut found = Vec::new();
        for (program, path) in programs {
            self.collect(program, path, 0, &mut found);
        }
        Ok(found)
    }

    fn collect(&self, program: String, path: String, depth: usize, found: &mut Vec<Object>) {
        let interface = "org.a11y.atspi.Accessible";
        let name = self.ear.property(&program, &path, interface, "Name");
        let role = self.ear.ask(&program, &path, interface, "GetRole", None);
        let (Ok(name), Ok(role)) = (name, role) else { return };
        let children = self.children(&program, &path).unwrap_or_default();
        found.push(Object {
            role: role.child_value(0).get().unwrap_or_default(),
            name: name.str().unwrap_or_default().into(),
            program,
            path,
        });
        if depth < DEPTH_MAX {
            for (program, path) in children {
                self.collect(program, path, depth + 1, found);
            }
        }
    }

    /// Children one by one, as libatspi asks for them: asked for all at once, a webview does not name its page.
    fn children(&self, program: &str, path: &str) -> anyhow::Result<Vec<(String, String)>> {
        let interface = "org.a11y.atspi.Accessible";
        let count = self.ear.property(program, path, interface, "ChildCount")?.get::<i32>().unwrap_or(0);
        let child = |at: i32| {
            let at = (at,).to_variant();
            let answer = self.ear.ask(program, path, interface, "GetChildAtIndex", Some(&at))?;
            answer.child_value(0).get::<(String, gio::glib::variant::ObjectPath)>().context("no object")
        };
        (0..count).map(|at| child(at).map(|(program, path)| (program, path.as_str().into()))).collect()
    }

    /// Waits for the one object of this role and name.
    ///
    /// # Errors
    /// When there is none, or more than one; what there is is named.
    pub fn find(&self, role: u32, name: &str) -> anyhow::Result<Object> {
        crate::wait_until(&format!("the object {name} of role {role}"), PATIENCE, || {
            let objects = self.objects().map_err(|error| format!("{error:#}"))?;
            let mut found = objects.iter().filter(|object| object.role == role && object.name == name);
            match (found.next(), found.next()) {
                (Some(one), None) => Ok(one.clone()),
                _ => Err(format!("{objects:?}")),
            }
        })
    }

    /// Does what is done with an object first of all: a button is pressed.
    ///
    /// # Errors
    /// When it can not be done.
    pub fn act(&self, object: &Object) -> anyhow::Result<()> {
        let first = (0_i32,).to_variant();
        let interface = "org.a11y.atspi.Action";
        let done = self.ear.ask(&object.program, &object.path, interface, "DoAction", Some(&first))?;
        anyhow::ensure!(done.child_value(0).get() == Some(true), "{object:?} refused: {done}");
        Ok(())
    }
}

/// What a program needs in its environment besides the session bus: the stage has it answer no assistive program.
pub const VARIABLE: (&str, &str) = ("NO_AT_BRIDGE", "0");
