//! The socket of one tab: requests in, answers out.

use super::exchange::Exchange;
use super::spoken;
use super::tabs::{Connection, Tabs};
use axum::body::Body;
use axum::extract::WebSocketUpgrade;
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use axum::http::Response;
use staysail_protocol::limits::FRAME_BODY_BYTES_MAX;
use std::sync::Arc;
use tokio::sync::mpsc::unbounded_channel;

/// Accepts the socket of the tab with this name.
pub fn open(
    upgrade: WebSocketUpgrade,
    exchange: Arc<Exchange>,
    tabs: Arc<Tabs>,
    name: String,
) -> Response<Body> {
    upgrade.max_message_size(FRAME_BODY_BYTES_MAX).max_frame_size(FRAME_BODY_BYTES_MAX).on_upgrade(
        move |mut socket| async move {
            let Some(connection) = tabs.enter(&name) else {
                let reason = "too many tabs show this page (browser_tabs_max)".into();
                // 1013: try again later (RFC 6455's registry of close codes).
                let _ = socket.send(Message::Close(Some(CloseFrame { code: 1013, reason }))).await;
                return;
            };
            serve(socket, &exchange, &connection).await;
            tabs.leave(&connection);
        },
    )
}

async fn serve(mut socket: WebSocket, exchange: &Exchange, connection: &Connection) {
    let (answers, mut answered) = unbounded_channel();
    loop {
        tokio::select! {
            () = connection.end.notified() => return,
            message = socket.recv() => {
                let bytes = match message {
                    Some(Ok(Message::Text(text))) => text.as_bytes().to_vec(),
                    Some(Ok(Message::Binary(bytes))) => bytes.to_vec(),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                };
                // Anything else than our own script's words ends the connection.
                let Some((ticket, request)) = spoken::split(&bytes) else { return };
                exchange.request(&connection.label, ticket, request, answers.clone());
            }
            Some(answer) = answered.recv() => {
                if socket.send(answer).await.is_err() {
                    return;
                }
            }
        }
    }
}
