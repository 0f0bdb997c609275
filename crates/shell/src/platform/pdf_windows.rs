//! Printing to a PDF file by WebView2 (`ICoreWebView2_7::PrintToPdf`).

use crate::desktop::webview::Done;
use staysail_protocol::desktop::page::PdfLayout;
use std::os::windows::ffi::OsStrExt;
use std::path::Path;
use webview2_com::Microsoft::Web::WebView2::Win32::{
    COREWEBVIEW2_PRINT_ORIENTATION_LANDSCAPE, COREWEBVIEW2_PRINT_ORIENTATION_PORTRAIT, ICoreWebView2_7,
    ICoreWebView2Environment6, ICoreWebView2PrintSettings,
};
use webview2_com::PrintToPdfCompletedHandler;
use windows_core::{Interface, PCWSTR, Result};
use wry::{WebView, WebViewExtWindows};

const MILLIMETRES_PER_INCH: f64 = 25.4;

/// Prints to a file that is not there yet.
pub fn print(view: &WebView, file: &Path, layout: &PdfLayout, done: Done<()>) {
    // One of the two says it: the call that fails, or the handler of the one that does not.
    let done = std::rc::Rc::new(std::cell::Cell::new(Some(done)));
    let handled = done.clone();
    let handler = PrintToPdfCompletedHandler::create(Box::new(move |result, is_printed| {
        let outcome = match result {
            Ok(()) if is_printed => Ok(()),
            Ok(()) => Err("the page could not be printed to a file".to_string()),
            Err(error) => Err(format!("the page could not be printed to a file: {error}")),
        };
        if let Some(done) = handled.take() {
            let _ = done.send(outcome);
        }
        Ok(())
    }));
    let path: Vec<u16> = file.as_os_str().encode_wide().chain([0]).collect();
    let begun = settings(view, layout).and_then(|settings| {
        let webview: ICoreWebView2_7 = view.webview().cast()?;
        // SAFETY: the path ends in 0 and lives through the call; the others are counted references.
        unsafe { webview.PrintToPdf(PCWSTR(path.as_ptr()), &settings, &handler) }
    });
    if let (Err(error), Some(done)) = (begun, done.take()) {
        let _ = done.send(Err(format!("this WebView2 prints to no file: {error}")));
    }
}

fn settings(view: &WebView, layout: &PdfLayout) -> Result<ICoreWebView2PrintSettings> {
    let environment: ICoreWebView2Environment6 = view.environment().cast()?;
    let inches = |millimetres: f64| millimetres / MILLIMETRES_PER_INCH;
    let (top, right, bottom, left) = layout.margins_mm;
    let orientation = if layout.landscape {
        COREWEBVIEW2_PRINT_ORIENTATION_LANDSCAPE
    } else {
        COREWEBVIEW2_PRINT_ORIENTATION_PORTRAIT
    };
    // SAFETY: calls of methods of live objects, with plain values.
    unsafe {
        let settings = environment.CreatePrintSettings()?;
        settings.SetOrientation(orientation)?;
        settings.SetPageWidth(inches(layout.paper_mm.0))?;
        settings.SetPageHeight(inches(layout.paper_mm.1))?;
        settings.SetMarginTop(inches(top))?;
        settings.SetMarginRight(inches(right))?;
        settings.SetMarginBottom(inches(bottom))?;
        settings.SetMarginLeft(inches(left))?;
        settings.SetScaleFactor(layout.scale)?;
        settings.SetShouldPrintBackgrounds(layout.backgrounds)?;
        Ok(settings)
    }
}
