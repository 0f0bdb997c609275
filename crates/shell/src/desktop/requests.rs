//! `window.*`, as it is asked for.

use super::{Answer, Asker, answer, invalid};
use crate::shell::Shell;
use serde_json::Value;
use staysail_protocol::desktop::window::WindowRequest;
use std::sync::Arc;

/// Does what is asked.
pub async fn handle(shell: &Arc<Shell>, asker: &Asker, request: WindowRequest) -> Answer {
    let own = match asker {
        Asker::Page(visitor) => Some(visitor.window.clone()),
        Asker::Worker(_) => None,
    };
    let which = move |label: Option<String>| {
        label.or(own).ok_or_else(|| invalid("the label of the window is missing".into()))
    };
    let null = |()| Value::Null;
    let ui = &shell.ui;
    match request {
        WindowRequest::Create { window } => {
            ui.ask(move |windows, target| windows.create(target, *window)).await?.map(null)
        }
        WindowRequest::List {} => answer(ui.ask(|windows, _| windows.labels()).await?),
        WindowRequest::Screens {} => answer(ui.ask(|windows, target| windows.screens(target)).await?),
        WindowRequest::State { label } => {
            let label = which(label)?;
            answer(ui.ask(move |windows, _| windows.state(&label)).await??)
        }
        WindowRequest::Set { label, change } => {
            let label = which(label)?;
            ui.ask(move |windows, _| windows.change(&label, *change)).await?.map(null)
        }
        WindowRequest::Close { label } => {
            let label = which(label)?;
            ui.ask(move |windows, _| windows.request_close(&label)).await?.map(null)
        }
        WindowRequest::Destroy { label } => {
            let label = which(label)?;
            ui.ask(move |windows, _| windows.close(&label)).await?.map(null)
        }
        WindowRequest::HoldClose { label } => {
            let label = which(label)?;
            ui.ask(move |windows, _| windows.hold_close(&label)).await?.map(null)
        }
        WindowRequest::Focus { label } => {
            let label = which(label)?;
            ui.ask(move |windows, _| windows.focus(&label)).await?.map(null)
        }
        WindowRequest::Center { label } => {
            let label = which(label)?;
            ui.ask(move |windows, _| windows.center(&label)).await?.map(null)
        }
        WindowRequest::RequestAttention { label } => {
            let label = which(label)?;
            ui.ask(move |windows, _| windows.request_attention(&label)).await?.map(null)
        }
        WindowRequest::StartDragging { label } => {
            let label = which(label)?;
            ui.ask(move |windows, _| windows.start_dragging(&label)).await?.map(null)
        }
        WindowRequest::StartResizing { label, edge } => {
            let label = which(label)?;
            ui.ask(move |windows, _| windows.start_resizing(&label, edge)).await?.map(null)
        }
    }
}
