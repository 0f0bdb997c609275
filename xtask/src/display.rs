//! A display to show windows on: the machine's own, or a virtual one that ends with us.

use anyhow::{Context, bail};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A display and, when it is a virtual one, the processes behind it.
#[derive(Debug)]
pub struct Display {
    /// Value for `DISPLAY`.
    pub name: String,
    /// Whether it was started here.
    pub virtual_one: bool,
    processes: Vec<Child>,
}

impl Display {
    /// The machine's display, or a new virtual one with a window manager.
    ///
    /// # Errors
    /// When there is none and Xvfb can not be started.
    pub fn open(width: u32, height: u32) -> anyhow::Result<Self> {
        match std::env::var("DISPLAY") {
            Ok(name) if !name.is_empty() => Ok(Self { name, virtual_one: false, processes: Vec::new() }),
            _ => Self::virtual_one(width, height),
        }
    }

    /// A new virtual display, also when the machine has one of its own.
    ///
    /// # Errors
    /// When Xvfb can not be started.
    pub fn virtual_one(width: u32, height: u32) -> anyhow::Result<Self> {
        let mut xvfb = Command::new("Xvfb");
        // With -displayfd the server picks a free number itself and says it: no race with another one.
        xvfb.args(["-displayfd", "1", "-nolisten", "tcp", "-screen", "0", &format!("{width}x{height}x24")]);
        let mut xvfb = ending_with_us(&mut xvfb)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("Xvfb can not be started; ./x installs it")?;
        let output = xvfb.stdout.take().context("Xvfb has no output")?;
        let mut number = String::new();
        BufReader::new(output).read_line(&mut number)?;
        if number.trim().is_empty() {
            let _ = xvfb.kill();
            let _ = xvfb.wait();
            bail!("Xvfb ended without offering a display");
        }
        let name = format!(":{}", number.trim());
        let mut display = Self { name, virtual_one: true, processes: vec![xvfb] };
        display.start_window_manager()?;
        Ok(display)
    }

    fn start_window_manager(&mut self) -> anyhow::Result<()> {
        let mut openbox = Command::new("openbox");
        openbox.env("DISPLAY", &self.name).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.processes.push(ending_with_us(&mut openbox).spawn().context("openbox can not be started")?);
        // The window manager is up when it has put its mark on the root window.
        let start = Instant::now();
        loop {
            let marked = Command::new("xdotool")
                .args(["get_desktop"])
                .env("DISPLAY", &self.name)
                .stderr(Stdio::null())
                .output()
                .is_ok_and(|output| output.status.success());
            if marked || start.elapsed() > Duration::from_secs(10) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The variables a program needs to draw here, quietly where there is no graphics card.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let mut variables = vec![("DISPLAY", self.name.clone())];
        if self.virtual_one {
            for (name, value) in [
                ("WEBKIT_DISABLE_DMABUF_RENDERER", "1"),
                ("LIBGL_ALWAYS_SOFTWARE", "1"),
                ("NO_AT_BRIDGE", "1"),
                ("GDK_BACKEND", "x11"),
            ] {
                variables.push((name, value.into()));
            }
            // WebKit's own sandbox needs name spaces that root in a container does not have.
            // SAFETY: geteuid has no arguments and can not fail.
            if unsafe { libc::geteuid() } == 0 {
                variables.push(("WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS", "1".into()));
            }
        }
        variables
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        for child in self.processes.iter_mut().rev() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Makes the child die with this process, however that ends (Linux).
pub fn ending_with_us(command: &mut Command) -> &mut Command {
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::process::CommandExt;
        // SAFETY: prctl with these arguments only sets a flag of the new process; it allocates nothing.
        unsafe {
            command.pre_exec(|| {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                Ok(())
            });
        }
    }
    command
}
