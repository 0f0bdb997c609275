//! Each template with a bundler, as a newcomer drives it: the bundler's own hot exchange, mistakes, and a clean end.

use staysail_e2e::stage::play;
use staysail_e2e::template::{Drive, drive, init, install};

const VITE: &str = "vite-error-overlay";
const STAYSAIL: &str = "staysail-overlay";

fn driven(template: &str, what: &Drive) {
    play(&format!("template-{template}"), |stage| {
        let project = init(stage, template, "ts")?;
        install(stage, &project)?;
        drive(stage, &project, what)
    });
}

#[test]
fn vite_without_a_framework_loads_an_edited_page_again_with_its_state() {
    driven(
        "vite",
        &Drive {
            file: "frontend/index.html",
            hot: false,
            mistake: ("frontend/src/main.ts", "const = ;\n"),
            overlay: VITE,
            backend_overlay: VITE,
        },
    );
}

#[test]
fn react_exchanges_an_edited_component_and_keeps_its_state() {
    let file = "frontend/src/App.tsx";
    driven(
        "react",
        &Drive { file, hot: true, mistake: (file, "const = ;\n"), overlay: VITE, backend_overlay: VITE },
    );
}

#[test]
fn vue_exchanges_an_edited_template_and_keeps_its_state() {
    let file = "frontend/src/App.vue";
    let mistake = (file, "<template><p></template>\n");
    driven("vue", &Drive { file, hot: true, mistake, overlay: VITE, backend_overlay: VITE });
}

#[test]
fn svelte_exchanges_an_edited_component_and_keeps_its_state() {
    let file = "frontend/src/App.svelte";
    driven(
        "svelte",
        &Drive { file, hot: true, mistake: (file, "{#if}\n"), overlay: VITE, backend_overlay: VITE },
    );
}

#[test]
fn webpack_loads_an_edited_page_again_with_its_state() {
    driven(
        "webpack",
        &Drive {
            file: "frontend/src/index.html",
            hot: false,
            mistake: ("frontend/src/main.ts", "const = ;\n"),
            overlay: "#webpack-dev-server-client-overlay",
            backend_overlay: STAYSAIL,
        },
    );
}
