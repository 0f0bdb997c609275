//! What a person would see of a save besides its result: whether the window was away, whether another program lost the
//! keyboard, whether what was typed is still there.

use super::super::apps::{Apps, STEP_LIMIT, TITLE};
use super::milliseconds;
use crate::display::Display;
use crate::program::Program;
use crate::window;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What is typed into the page's field.
pub const TYPED: &str = "typed by hand";
const BYSTANDER: &str = "^Bystander$";

/// Another program, which has the keyboard.
pub struct Bystander {
    window: window::Id,
    _program: Program,
}

impl Bystander {
    /// Opens its window.
    pub fn open(apps: &Apps) -> anyhow::Result<Self> {
        let mut command = apps.around(Command::new("display"), &apps.work("."));
        command.args(["-title", "Bystander", "-geometry", "120x80+1100+750", "xc:grey[120x80]"]);
        let program = Program::start("another program", &mut command)?;
        Ok(Self { window: window::wait(apps.display, BYSTANDER, STEP_LIMIT)?, _program: program })
    }

    /// Types into the page's field, which has the keyboard within its window, and gives the keyboard back.
    pub fn type_into(&self, apps: &Apps, page: window::Id) -> anyhow::Result<()> {
        window::focus(apps.display, page);
        window::type_text(apps.display, TYPED, 5)?;
        window::focus(apps.display, self.window);
        Ok(())
    }

    /// Whether it lost the keyboard. Takes it again.
    pub fn was_robbed(&self, display: &Display) -> bool {
        let robbed = window::active(display) != Some(self.window);
        window::focus(display, self.window);
        robbed
    }
}

/// Adds up for how long no window with the title was there.
pub struct Absence {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<f64>,
}

impl Absence {
    pub fn watch(display: &Display) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, name) = (stop.clone(), display.name.clone());
        let thread = std::thread::spawn(move || {
            let mut absent = Duration::ZERO;
            let mut last = Instant::now();
            while !stopped.load(Ordering::Relaxed) {
                let there = window::find(&name, TITLE).is_some();
                let now = Instant::now();
                if !there {
                    absent += now - last;
                }
                last = now;
                std::thread::sleep(Duration::from_millis(20));
            }
            milliseconds(absent)
        });
        Self { stop, thread }
    }

    pub fn end(self) -> f64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or(f64::NAN)
    }
}
