//! The Dioxus app that Staysail's development loop is measured against. Its page is drawn by Rust, so there is no call
//! from page to backend: the component asks for the revision whenever it is drawn, and a script looks at the page as
//! often as the scripts of the others ask their backends.

use dioxus::desktop::{Config, LogicalSize, WindowBuilder};
use dioxus::prelude::*;
use std::io::Write;

/// The bench changes this line and waits until a page shows the new value.
const REVISION: &str = "backend-0";

/// Looks at the page every 15 ms and hands on what is new in it.
const LOOK: &str = r##"
    const field = document.querySelector("#field");
    field.focus();
    let marker, revision;
    for (;;) {
        const marked = document.querySelector("#marker").textContent;
        const said = document.querySelector("#said").textContent;
        if (marked !== marker) dioxus.send(JSON.stringify({ kind: "script", marker: marked }));
        if (said !== revision) {
            dioxus.send(JSON.stringify({ kind: "revision", marker: marked, revision: said, field: field.value }));
        }
        [marker, revision] = [marked, said];
        await new Promise((done) => setTimeout(done, 15));
    }
"##;

fn main() {
    let window =
        WindowBuilder::new().with_title("Staysail Bench").with_inner_size(LogicalSize::new(800.0, 600.0));
    dioxus::LaunchBuilder::desktop().with_cfg(Config::new().with_window(window)).launch(app);
}

fn revision() -> &'static str {
    REVISION
}

/// Hands one line to the bench.
fn report(line: &str) {
    if let Ok(address) = std::env::var("BENCH_COLLECTOR")
        && let Ok(mut stream) = std::net::TcpStream::connect(address)
    {
        let _ = stream.write_all(line.as_bytes());
    }
}

fn app() -> Element {
    use_future(|| async {
        let mut look = document::eval(LOOK);
        while let Ok(line) = look.recv::<String>().await {
            report(&line);
        }
    });
    rsx! {
        main {
            h1 { "Bench" }
            input { id: "field", placeholder: "typed text" }
            p { id: "said", {revision()} }
            p { id: "marker", "page-0" }
        }
    }
}
