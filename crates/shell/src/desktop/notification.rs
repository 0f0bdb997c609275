//! `notification.*`.

use super::{Answer, answer, invalid};
use crate::platform::native;
use crate::shell::Shell;
use serde_json::Value;
use staysail_protocol::desktop::notification::NotificationRequest;
use staysail_protocol::limits::NOTIFICATION_ACTIONS_MAX;
use std::sync::Arc;

/// Does what is asked.
pub async fn handle(shell: &Arc<Shell>, request: NotificationRequest) -> Answer {
    match request {
        NotificationRequest::Show { title, body, actions } => {
            if actions.len() > NOTIFICATION_ACTIONS_MAX {
                return Err(invalid(format!(
                    "a notification has at most {NOTIFICATION_ACTIONS_MAX} actions (notification_actions_max)"
                )));
            }
            let id = native::notify(shell, title, body, actions).await?;
            // One the user has closed is gone already, which is as well.
            if let Some(oldest) = shell.application.notified(id)
                && let Err(error) = native::close_notification(shell, oldest).await
            {
                tracing::debug!(%error, "the oldest notification was not taken away");
            }
            answer(id)
        }
        NotificationRequest::Close { id } => {
            native::close_notification(shell, id).await.map(|()| Value::Null)
        }
    }
}
