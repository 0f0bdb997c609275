//! A session bus of the test's own, and on it stubs of the programs a desktop has: a tray, a notification service,
//! whatever keeps the machine awake.
//!
//! # Theory of operation
//! The bus is `dbus-daemon`, started by the test. Each stub has a connection of its own, as a program would, so it can
//! leave and come back. They answer on one thread, which runs GLib's loop; what they were asked and what was signalled
//! is written down, for the test to look at.

use crate::child::Program;
use crate::stage::Stage;
use anyhow::{Context, ensure};
use gio::glib::{self, ToVariant, Variant};
use gio::{DBusCallFlags, DBusConnection, DBusConnectionFlags, DBusSignalFlags};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// Longest wait for the bus or anything on it.
const PATIENCE: Duration = Duration::from_secs(10);
const PATIENCE_MS: i32 = 10_000;

/// The bus; gone when dropped.
pub struct DesktopBus {
    address: String,
    context: glib::MainContext,
    main_loop: glib::MainLoop,
    _daemon: Program,
}

/// Something a stub was asked.
#[derive(Debug, Clone)]
pub struct Call {
    /// The method.
    pub method: String,
    /// Its parameters, a tuple.
    pub parameters: Variant,
}

/// Something that was signalled on the bus.
#[derive(Debug, Clone)]
pub struct Signal {
    /// Its name.
    pub name: String,
    /// Its parameters, a tuple.
    pub parameters: Variant,
}

impl DesktopBus {
    /// Starts one.
    ///
    /// # Errors
    /// When `dbus-daemon` is missing or does not come up.
    pub fn start(stage: &Stage) -> anyhow::Result<Self> {
        let socket = stage.folder.path().join("run/bus");
        // Not the machine's own services: nothing here may start a program of its.
        let config = stage.folder.path().join("bus.conf");
        let text = format!(
            "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\" \
             \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n<busconfig><type>session</type>\
             <listen>unix:path={}</listen><auth>EXTERNAL</auth><policy context=\"default\"><allow send_destination=\"*\" \
             eavesdrop=\"true\"/><allow eavesdrop=\"true\"/><allow own=\"*\"/></policy></busconfig>\n",
            socket.display()
        );
        std::fs::write(&config, text)?;
        let mut command = Command::new("dbus-daemon");
        command.arg(format!("--config-file={}", config.display())).args(["--nofork", "--print-address=1"]);
        let mut daemon =
            Program::start("dbus-daemon", command).context("starting dbus-daemon (Debian: dbus)")?;
        let address = daemon.wait_line("the bus's address", 0, PATIENCE, |line| {
            line.starts_with("unix:").then(|| line.to_string())
        })?;
        let context = glib::MainContext::new();
        let main_loop = glib::MainLoop::new(Some(&context), false);
        let (on_thread, looping) = (context.clone(), main_loop.clone());
        std::thread::spawn(move || on_thread.with_thread_default(|| looping.run()));
        Ok(Self { address, context, main_loop, _daemon: daemon })
    }

    /// What a program needs in its environment to take it for the machine's bus, where NetworkManager is.
    pub fn as_system_bus(&self) -> (&str, &str) {
        ("DBUS_SYSTEM_BUS_ADDRESS", &self.address)
    }

    /// What a program needs in its environment to find the bus.
    pub fn variable(&self) -> (&str, &str) {
        ("DBUS_SESSION_BUS_ADDRESS", &self.address)
    }

    pub(crate) fn connect(&self) -> anyhow::Result<DBusConnection> {
        connect(&self.address)
    }

    /// Does something on the stubs' thread.
    pub(crate) fn on_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> anyhow::Result<T> {
        let (done, result) = std::sync::mpsc::channel();
        self.context.invoke(move || drop(done.send(work())));
        Ok(result.recv_timeout(PATIENCE)?)
    }

    /// Puts a stub on the bus under `name`: an object at `path` with the interface `name`, or the one `interface` names
    /// in the description. `answer` gives what a call returns; without one the call fails.
    ///
    /// # Errors
    /// When the bus does not take it.
    pub fn serve(
        &self,
        name: &str,
        path: &str,
        interface: &str,
        description: &'static str,
        answer: impl Fn(&str, &Variant) -> Option<Variant> + Send + Sync + 'static,
    ) -> anyhow::Result<Stub> {
        let property = |name: &str| match name {
            "RegisteredStatusNotifierItems" => Vec::<String>::new().to_variant(),
            "ProtocolVersion" => 0_i32.to_variant(),
            _ => true.to_variant(),
        };
        self.serve_with(name, path, interface, description, answer, property)
    }

    /// The same; `property` gives the value of a property.
    ///
    /// # Errors
    /// As [`serve`](Self::serve).
    pub fn serve_with(
        &self,
        name: &str,
        path: &str,
        interface: &str,
        description: &'static str,
        answer: impl Fn(&str, &Variant) -> Option<Variant> + Send + Sync + 'static,
        property: impl Fn(&str) -> Variant + Send + Sync + 'static,
    ) -> anyhow::Result<Stub> {
        let connection = self.connect()?;
        let calls: Arc<Mutex<Vec<Call>>> = Arc::default();
        let (bus, record) = (connection.clone(), calls.clone());
        let (at, which) = (path.to_string(), interface.to_string());
        self.on_thread(move || {
            let node = gio::DBusNodeInfo::for_xml(description).map_err(|error| error.to_string())?;
            let interface = node.lookup_interface(&which).ok_or("the interface is not in the description")?;
            bus.register_object(
                &at,
                &interface,
                move |_, _, _, _, method, parameters, invocation| {
                    let call = Call { method: method.into(), parameters: parameters.clone() };
                    lock(&record).push(call);
                    match answer(method, &parameters) {
                        Some(answer) => invocation.return_value(Some(&answer)),
                        None => invocation
                            .return_dbus_error("org.freedesktop.DBus.Error.Failed", "refused by the test"),
                    }
                },
                move |_, _, _, _, name| property(name),
                |_, _, _, _, _, _| false,
            )
            .map(drop)
            .map_err(|error| error.to_string())
        })?
        .map_err(anyhow::Error::msg)?;
        request_name(&connection, name)?;
        Ok(Stub { connection, path: path.into(), interface: interface.into(), calls })
    }

    /// Hears the signals of everybody from now on.
    ///
    /// # Errors
    /// When the bus can not be reached.
    pub fn listen(&self) -> anyhow::Result<Ear> {
        let connection = self.connect()?;
        let signals: Arc<Mutex<Vec<Signal>>> = Arc::default();
        let (bus, record) = (connection.clone(), signals.clone());
        self.on_thread(move || {
            bus.signal_subscribe(
                None,
                None,
                None,
                None,
                None,
                DBusSignalFlags::NONE,
                move |_, _, _, _, name, parameters| {
                    lock(&record).push(Signal { name: name.into(), parameters: parameters.clone() });
                },
            );
        })?;
        // Once this is answered, the bus knows of the subscription.
        call(
            &connection,
            "org.freedesktop.DBus",
            "/org/freedesktop/DBus",
            "org.freedesktop.DBus",
            "GetId",
            None,
        )?;
        Ok(Ear { connection, signals })
    }
}

impl Drop for DesktopBus {
    fn drop(&mut self) {
        self.main_loop.quit();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn connect(address: &str) -> anyhow::Result<DBusConnection> {
    let flags = DBusConnectionFlags::AUTHENTICATION_CLIENT | DBusConnectionFlags::MESSAGE_BUS_CONNECTION;
    Ok(DBusConnection::for_address_sync(address, flags, None, gio::Cancellable::NONE)?)
}

pub(crate) fn request_name(connection: &DBusConnection, name: &str) -> anyhow::Result<()> {
    const DO_NOT_QUEUE: u32 = 4;
    const PRIMARY_OWNER: u32 = 1;
    let arguments = (name, DO_NOT_QUEUE).to_variant();
    let (bus, path) = ("org.freedesktop.DBus", "/org/freedesktop/DBus");
    let answer = call(connection, bus, path, bus, "RequestName", Some(&arguments))?;
    ensure!(answer.child_value(0).get::<u32>() == Some(PRIMARY_OWNER), "{name} is somebody else's");
    Ok(())
}

fn call(
    connection: &DBusConnection,
    name: &str,
    path: &str,
    interface: &str,
    method: &str,
    parameters: Option<&Variant>,
) -> anyhow::Result<Variant> {
    connection
        .call_sync(
            Some(name),
            path,
            interface,
            method,
            parameters,
            None,
            DBusCallFlags::NONE,
            PATIENCE_MS,
            gio::Cancellable::NONE,
        )
        .with_context(|| format!("{interface}.{method} of {name}"))
}

/// A stub on the bus; it leaves when dropped.
pub struct Stub {
    connection: DBusConnection,
    path: String,
    interface: String,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Stub {
    /// What it was asked so far.
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.calls).clone()
    }

    /// Waits until it has been asked this for the `count`th time.
    ///
    /// # Errors
    /// When it is not; what it was asked is named.
    pub fn wait_call(&self, method: &str, count: usize) -> anyhow::Result<Call> {
        crate::wait_until(&format!("call {count} of {method}"), PATIENCE, || {
            let calls = self.calls();
            let call = calls.iter().filter(|call| call.method == method).nth(count - 1);
            call.cloned().ok_or_else(|| format!("{calls:?}"))
        })
    }

    /// Signals something.
    ///
    /// # Errors
    /// When the bus does not take it.
    pub fn emit(&self, signal: &str, parameters: &Variant) -> anyhow::Result<()> {
        self.connection.emit_signal(None, &self.path, &self.interface, signal, Some(parameters))?;
        self.connection.flush_sync(gio::Cancellable::NONE)?;
        Ok(())
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        let _ = self.connection.close_sync(gio::Cancellable::NONE);
    }
}

/// Hears signals, and asks others.
pub struct Ear {
    connection: DBusConnection,
    signals: Arc<Mutex<Vec<Signal>>>,
}

impl Ear {
    /// One on the bus at this address, which asks and hears nothing.
    ///
    /// # Errors
    /// When the bus can not be reached.
    pub fn at(address: &str) -> anyhow::Result<Self> {
        Ok(Self { connection: connect(address)?, signals: Arc::default() })
    }

    /// Signals of this name so far.
    pub fn heard(&self, name: &str) -> Vec<Variant> {
        let signals = lock(&self.signals);
        signals.iter().filter(|signal| signal.name == name).map(|signal| signal.parameters.clone()).collect()
    }

    /// Waits for the `count`th signal of this name.
    ///
    /// # Errors
    /// When it does not come.
    pub fn wait(&self, name: &str, count: usize) -> anyhow::Result<Variant> {
        crate::wait_until(&format!("signal {count} named {name}"), PATIENCE, || {
            self.heard(name).get(count - 1).cloned().ok_or_else(|| format!("{:?}", lock(&self.signals)))
        })
    }

    /// Forgets what was heard.
    pub fn forget(&self) {
        lock(&self.signals).clear();
    }

    /// Asks somebody on the bus.
    ///
    /// # Errors
    /// What they answered, or that nobody did.
    pub fn ask(
        &self,
        name: &str,
        path: &str,
        interface: &str,
        method: &str,
        parameters: Option<&Variant>,
    ) -> anyhow::Result<Variant> {
        call(&self.connection, name, path, interface, method, parameters)
    }

    /// A property of somebody's object.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub fn property(
        &self,
        name: &str,
        path: &str,
        interface: &str,
        property: &str,
    ) -> anyhow::Result<Variant> {
        let wanted = (interface, property).to_variant();
        let answer = self.ask(name, path, "org.freedesktop.DBus.Properties", "Get", Some(&wanted))?;
        answer.child_value(0).as_variant().context("a property is a variant")
    }
}
