//! `notification.*`: the system's notifications.

use serde::{Deserialize, Serialize};

/// A request of the group `notification`.
#[cfg(feature = "host")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum NotificationRequest {
    /// Show one. Answer: its number, for `close` and its events.
    Show {
        /// Its title.
        title: String,
        /// More about it.
        #[serde(default)]
        body: String,
        /// Buttons.
        #[serde(default)]
        actions: Vec<Action>,
    },
    /// Take one away. Answer: null.
    Close {
        /// Its number.
        id: u32,
    },
}

/// A button of a notification.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// Named by the event.
    pub id: String,
    /// What is on it.
    pub label: String,
}

/// What happened to a notification: the payload of the event `staysail:notification`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotificationEvent {
    /// Its number.
    pub id: u32,
    /// What happened.
    #[serde(flatten)]
    pub what: NotificationNews,
}

/// What happened to a notification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum NotificationNews {
    /// It was clicked.
    Clicked,
    /// One of its buttons was.
    Action {
        /// Which.
        action: String,
    },
    /// It is gone.
    Closed,
}
