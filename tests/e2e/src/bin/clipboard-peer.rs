//! Another program for tests to copy from and paste into: `clipboard-peer paste` says what is in the clipboard, `clipboard-peer
//! copy TEXT` puts a text there and keeps it until it is ended.

#[cfg(target_os = "linux")]
fn main() {
    use gtk::gdk::{Atom, SELECTION_CLIPBOARD};
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if gtk::init().is_err() {
        return eprintln!("clipboard-peer needs a display");
    }
    let clipboard = gtk::Clipboard::get(&SELECTION_CLIPBOARD);
    if let [copy, text] = arguments.as_slice()
        && copy == "copy"
    {
        clipboard.set_text(text);
        println!("copied");
        return gtk::main();
    }
    if let Some(text) = clipboard.wait_for_text() {
        println!("text {text}");
    }
    if let Some(html) = clipboard.wait_for_contents(&Atom::intern("text/html")) {
        println!("html {}", String::from_utf8_lossy(&html.data()).trim_end_matches('\0'));
    }
    if let Some(image) = clipboard.wait_for_image() {
        let bytes = image.read_pixel_bytes();
        let colour =
            bytes.get(..3).map(|colour| format!("#{:02x}{:02x}{:02x}", colour[0], colour[1], colour[2]));
        println!("image {} {} {}", image.width(), image.height(), colour.unwrap_or_default());
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("clipboard-peer is for tests under X11");
}
