//! A thread that does things one after the other, in the order they came.
//!
//! The app's hooks, migrations and listeners run on lanes: in order, and never on the thread that gives signs of life.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use tokio::runtime::Handle;

type Errand = Box<dyn FnOnce() + Send>;

/// The way to such a thread.
pub(crate) struct Lane {
    errands: mpsc::Sender<Errand>,
}

impl Lane {
    /// Starts the thread; what runs on it may start tasks on `tasks`.
    pub fn start(name: &str, tasks: Handle) -> std::io::Result<Self> {
        let (errands, waiting) = mpsc::channel::<Errand>();
        std::thread::Builder::new().name(name.into()).spawn(move || {
            let _context = tasks.enter();
            for errand in waiting {
                // A panic was printed by the hook; the lane goes on with the next errand.
                let _ = catch_unwind(AssertUnwindSafe(errand));
            }
        })?;
        Ok(Self { errands })
    }

    /// Does `errand` after everything that was given before.
    pub fn run(&self, errand: impl FnOnce() + Send + 'static) {
        let _ = self.errands.send(Box::new(errand));
    }
}
