//! `notification.*`.

use super::{Answer, answer};
use crate::platform::native;
use crate::shell::Shell;
use serde_json::Value;
use staysail_protocol::desktop::notification::NotificationRequest;
use std::sync::Arc;

/// Does what is asked.
pub async fn handle(shell: &Arc<Shell>, request: NotificationRequest) -> Answer {
    match request {
        NotificationRequest::Show { title, body, actions } => {
            answer(native::notify(shell, title, body, actions).await?)
        }
        NotificationRequest::Close { id } => {
            native::close_notification(shell, id).await.map(|()| Value::Null)
        }
    }
}
