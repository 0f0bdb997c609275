//! `power.*`: keeping the machine awake.
//!
//! # Theory of operation
//! A wish has the words it was made with and those who made it: page loads and workers. It is held as long as one of
//! them is there. A page that is loaded again or closed is gone; a worker is gone when its process is. At a swap the
//! worker before lives on, frozen, until the probation of the new one is over: when the new one makes the same wish in
//! the meantime, which costs nothing and gives the same number, the wish goes on without a gap; when it does not, it
//! ends with the old one. So nothing is held for somebody who has forgotten it, not even after a crash.

use super::{Answer, Asker, answer, invalid};
use crate::platform::awake::Hold;
use crate::shell::Shell;
use serde_json::Value;
use staysail_protocol::desktop::power::PowerRequest;
use staysail_protocol::limits::KEEP_AWAKE_MAX;
use staysail_protocol::{CallError, ErrorCode};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Mutex;

/// Somebody who can be gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// A worker, by its number.
    Worker(u64),
    /// A page load: label of the window, number of the load.
    Page(String, u64),
}

impl Owner {
    fn of(asker: &Asker) -> Self {
        match asker {
            Asker::Worker(id) => Self::Worker(*id),
            Asker::Page(visitor) => Self::Page(visitor.window.clone(), visitor.generation),
        }
    }
}

struct Wish {
    reason: String,
    display: bool,
    /// Each as often as it asked.
    owners: Vec<Owner>,
    hold: Hold,
}

impl Wish {
    /// Takes one of `owner`'s back; of any worker's when a worker asks that got the number from one before it.
    fn release(&mut self, owner: &Owner) -> bool {
        let is_worker = |owner: &Owner| matches!(owner, Owner::Worker(_));
        let own = self.owners.iter().position(|other| other == owner);
        let any = || self.owners.iter().position(|other| is_worker(owner) && is_worker(other));
        let Some(at) = own.or_else(any) else { return false };
        self.owners.remove(at);
        true
    }
}

/// All wishes to keep the machine awake. The lock is given in the order it is asked for, so whoever is gone is forgotten
/// after what it asked for last.
#[derive(Default)]
pub struct Wishes {
    all: Mutex<(u64, BTreeMap<u64, Wish>)>,
}

/// Does what is asked.
pub async fn handle(shell: &Arc<Shell>, asker: &Asker, request: PowerRequest) -> Answer {
    let owner = Owner::of(asker);
    let mut wishes = shell.application.wishes.all.lock().await;
    let (last, all) = &mut *wishes;
    match request {
        PowerRequest::KeepAwake { reason, display } => {
            let same = |wish: &Wish| wish.reason == reason && wish.display == display;
            if let Some((id, wish)) = all.iter_mut().find(|(_, wish)| same(wish)) {
                wish.owners.push(owner);
                return answer(*id);
            }
            if all.len() >= KEEP_AWAKE_MAX {
                let message = format!(
                    "{KEEP_AWAKE_MAX} wishes to keep the machine awake are held already (keep_awake_max)"
                );
                return Err(CallError::new(ErrorCode::TooLarge, message));
            }
            let (name, why) = (shell.facts().name, reason.clone());
            let hold = tokio::task::spawn_blocking(move || Hold::take(&name, &why, display)).await;
            let hold = hold
                .map_err(|error| error.to_string())
                .and_then(|hold| hold)
                .map_err(|reason| CallError::new(ErrorCode::Internal, reason))?;
            *last += 1;
            all.insert(*last, Wish { reason, display, owners: vec![owner], hold });
            answer(*last)
        }
        PowerRequest::Release { id } => {
            let Some(wish) = all.get_mut(&id) else { return Err(unknown(id)) };
            if !wish.release(&owner) {
                return Err(unknown(id));
            }
            end_unowned(all).await;
            Ok(Value::Null)
        }
    }
}

fn unknown(id: u64) -> CallError {
    invalid(format!("there is no wish {id} of yours to keep the machine awake"))
}

async fn end_unowned(all: &mut BTreeMap<u64, Wish>) {
    let ended: Vec<u64> = all.iter().filter(|(_, wish)| wish.owners.is_empty()).map(|(id, _)| *id).collect();
    for wish in ended.into_iter().filter_map(|id| all.remove(&id)) {
        let _ = tokio::task::spawn_blocking(move || drop(wish.hold)).await;
    }
}

impl Wishes {
    /// Forgets what those wished who are gone now.
    pub fn forget(shell: &Arc<Shell>, is_gone: impl Fn(&Owner) -> bool + Send + 'static) {
        let shell_then = shell.clone();
        super::begin(shell, async move {
            let mut wishes = shell_then.application.wishes.all.lock().await;
            for wish in wishes.1.values_mut() {
                wish.owners.retain(|owner| !is_gone(owner));
            }
            end_unowned(&mut wishes.1).await;
        });
    }

    /// Forgets the loads of a window's page before this one.
    pub fn forget_page(shell: &Arc<Shell>, window: &str, before: u64) {
        let window = window.to_string();
        Self::forget(
            shell,
            move |owner| matches!(owner, Owner::Page(label, generation) if *label == window && *generation < before),
        );
    }
}
