//! What an app has on the desktop beside its windows: tray, shortcuts, links and files.

use super::shortcuts::Shortcuts;
use super::tray::Tray;
use super::{Windows, links};
use crate::shell::Shell;
use staysail_protocol::desktop::Declared;
use std::sync::Arc;

/// See the module. Lives on the windows' thread.
pub struct Presence {
    tray: Tray,
    shortcuts: Shortcuts,
    /// Links and files were compared with what is registered once.
    is_registered: bool,
}

impl Presence {
    /// Nothing yet.
    pub fn new(shell: &Arc<Shell>) -> Self {
        Self { tray: Tray::default(), shortcuts: Shortcuts::new(shell), is_registered: false }
    }
}

impl Windows {
    /// Brings about what is declared now, where it differs from what was before.
    pub(super) fn declare_presence(&mut self, before: &Declared) {
        let now = self.declared().clone();
        self.declare_tray(before.tray.as_ref(), now.tray.as_ref());
        self.shortcuts().declare(&before.shortcuts, &now.shortcuts);
        // The first time always: an earlier version may have registered what nobody declares any more.
        if !std::mem::replace(&mut self.presence().is_registered, true) || before.opens != now.opens {
            links::reconcile(self.shell(), now.opens);
        }
    }

    pub(super) fn tray(&mut self) -> &mut Tray {
        &mut self.presence().tray
    }

    pub(super) fn shortcuts(&mut self) -> &mut Shortcuts {
        &mut self.presence().shortcuts
    }
}
