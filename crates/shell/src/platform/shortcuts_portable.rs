//! Global shortcuts on Windows and macOS.

use crate::app::Wish;
use crate::desktop::shortcuts::Taking;
use crate::shell::Shell;
use global_hotkey::hotkey::HotKey;
use global_hotkey::{GlobalHotKeyEvent, GlobalHotKeyManager, HotKeyState};
use muda::accelerator::Accelerator;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// The keys this app has taken.
pub struct Keys {
    manager: Result<GlobalHotKeyManager, String>,
    /// The accelerator of each of the system's numbers.
    taken: Arc<Mutex<HashMap<u32, u32>>>,
}

impl Keys {
    /// None yet. On the windows' thread, whose loop brings the events.
    pub fn new(shell: &Arc<Shell>) -> Self {
        let taken: Arc<Mutex<HashMap<u32, u32>>> = Arc::default();
        let (ui, heard) = (shell.ui.clone(), taken.clone());
        GlobalHotKeyEvent::set_event_handler(Some(move |event: GlobalHotKeyEvent| {
            let taken = heard.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let Some(accelerator) = taken.get(&event.id).copied() else { return };
            let pressed = event.state == HotKeyState::Pressed;
            ui.wish(Wish::Do(Box::new(move |windows, _| windows.shortcut_pressed(accelerator, pressed))));
        }));
        Self { manager: GlobalHotKeyManager::new().map_err(|error| error.to_string()), taken }
    }

    /// Takes keys.
    ///
    /// # Errors
    /// A sentence for people: another program has them, or the system has no such thing.
    pub fn take(&mut self, _id: &str, accelerator: Accelerator) -> Result<Taking, String> {
        let key = hotkey(accelerator);
        self.manager.as_ref().map_err(Clone::clone)?.register(key).map_err(|error| match error {
            global_hotkey::Error::AlreadyRegistered(_) => {
                "another program has them; choose others".to_string()
            }
            other => other.to_string(),
        })?;
        self.taken
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .insert(key.id(), accelerator.id());
        Ok(Taking::Now)
    }

    /// Gives keys back.
    pub fn give_back(&mut self, accelerator: Accelerator) {
        let key = hotkey(accelerator);
        if let Ok(manager) = &self.manager
            && let Err(error) = manager.unregister(key)
        {
            tracing::warn!(%error, "keys could not be given back");
        }
        self.taken.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove(&key.id());
    }
}

fn hotkey(accelerator: Accelerator) -> HotKey {
    HotKey::new(Some(accelerator.modifiers()), accelerator.key())
}
