//! A PDF of a page by WKWebView. It is one page as long as the web page is: what divides it, `NSPrintOperation`, shows
//! itself to the user while it works, and so is left to `page.print`.

use crate::desktop::webview::Done;
use block2::RcBlock;
use objc2_foundation::{NSData, NSError};
use staysail_protocol::desktop::page::PdfLayout;
use std::cell::Cell;
use std::path::{Path, PathBuf};
use wry::{WebView, WebViewExtMacOS};

/// Prints to a file that is not there yet. Of the layout nothing counts.
pub fn print(view: &WebView, file: &Path, _layout: &PdfLayout, done: Done<()>) {
    let (done, file) = (Cell::new(Some(done)), file.to_path_buf());
    let handler = RcBlock::new(move |data: *mut NSData, error: *mut NSError| {
        // SAFETY: WebKit passes a live object or nil, for as long as the handler runs.
        let outcome = match unsafe { (data.as_ref(), error.as_ref()) } {
            (Some(data), _) => write(&file, data),
            (None, Some(error)) => Err(error.localizedDescription().to_string()),
            (None, None) => Err("the page could not be printed to a file".to_string()),
        };
        if let Some(done) = done.take() {
            let _ = done.send(outcome);
        }
    });
    // SAFETY: on the windows' thread, as WKWebView wants it; WebKit keeps the handler as long as it needs it.
    unsafe { view.webview().createPDFWithConfiguration_completionHandler(None, &handler) };
}

fn write(file: &PathBuf, data: &NSData) -> Result<(), String> {
    std::fs::write(file, data.to_vec())
        .map_err(|error| format!("{} could not be written: {error}", file.display()))
}
