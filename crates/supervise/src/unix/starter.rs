//! One thread that lives as long as the process and starts every child.
//!
//! The parent-death signal of Linux is sent when the *thread* that forked ends. A child started from a pool
//! thread would be killed when the pool shrinks; one started from here is killed when the process ends.

use std::io;
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, SyncSender, channel, sync_channel};

type Order = (Box<Command>, SyncSender<io::Result<Child>>);

/// Starts the command from the one thread and returns when it runs (or did not start).
pub(super) fn start(command: Command) -> io::Result<Child> {
    static STARTER: OnceLock<Option<Sender<Order>>> = OnceLock::new();
    let gone = || io::Error::other("the thread that starts processes could not be created");
    let starter = STARTER.get_or_init(|| {
        let (orders, inbox) = channel::<Order>();
        let work = move || {
            for (mut command, answer) in inbox {
                // An asker that is gone drops the child's handle; that can only be a panic in its thread.
                let _ = answer.send(command.spawn());
            }
        };
        std::thread::Builder::new().name("staysail-start".into()).spawn(work).ok().map(|_| orders)
    });
    let (answer, result) = sync_channel(1);
    let orders = starter.as_ref().ok_or_else(gone)?;
    orders.send((Box::new(command), answer)).map_err(|_| gone())?;
    result.recv().map_err(|_| gone())?
}
