//! Files of other programs that are dragged over a page, through wry.

use crate::desktop::drops;
use crate::shell::Shell;
use staysail_protocol::desktop::drop::DropKind;
use std::sync::Arc;
use wry::{DragDropEvent, WebViewBuilder};

/// Listens to the drags over a window, where somebody may know of them. Elsewhere the page's own drag and drop is left
/// alone: on Windows a webview has one or the other.
pub fn listen<'a>(builder: WebViewBuilder<'a>, shell: &Arc<Shell>, label: &str) -> WebViewBuilder<'a> {
    if cfg!(windows) && !shell.granted(label, |granted| granted.group("drop")) {
        return builder;
    }
    let (shell, label) = (shell.clone(), label.to_string());
    builder.with_drag_drop_handler(move |event| {
        let at = |(x, y): (i32, i32)| (f64::from(x), f64::from(y));
        match event {
            DragDropEvent::Enter { paths, position } => {
                drops::tell(&shell, &label, DropKind::Enter, &paths, at(position))
            }
            DragDropEvent::Over { position } => {
                drops::tell(&shell, &label, DropKind::Over, &[], at(position))
            }
            DragDropEvent::Drop { paths, position } => {
                drops::tell(&shell, &label, DropKind::Dropped, &paths, at(position))
            }
            DragDropEvent::Leave => drops::tell(&shell, &label, DropKind::Left, &[], (0.0, 0.0)),
            _ => {}
        }
        false
    })
}
