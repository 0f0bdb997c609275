//! Each template with a bundler, as a newcomer drives it: the bundler's own hot exchange, mistakes, and a clean end.

use staysail_e2e::stage::play;
use staysail_e2e::template::{Drive, drive, init, install};

const VITE: &str = "vite-error-overlay";
const STAYSAIL: &str = "staysail-overlay";

fn driven(template: &str, language: &str, what: &Drive) {
    play(&format!("template-{template}"), |stage| {
        let project = init(stage, template, language)?;
        install(stage, &project)?;
        drive(stage, &project, what)
    });
}

#[test]
fn vite_without_a_framework_loads_an_edited_page_again_with_its_state() {
    let mistake = "const = ;\n";
    driven(
        "vite",
        "ts",
        &Drive { file: "frontend/index.html", hot: false, mistake, overlay: "", backend_overlay: VITE },
    );
}

#[test]
fn react_exchanges_an_edited_component_and_keeps_its_state() {
    let mistake = "const = ;\n";
    driven(
        "react",
        "ts",
        &Drive { file: "frontend/src/App.tsx", hot: true, mistake, overlay: VITE, backend_overlay: VITE },
    );
}

#[test]
fn vue_exchanges_an_edited_template_and_keeps_its_state() {
    let mistake = "<template><p></template>\n";
    driven(
        "vue",
        "ts",
        &Drive { file: "frontend/src/App.vue", hot: true, mistake, overlay: VITE, backend_overlay: VITE },
    );
}

#[test]
fn svelte_exchanges_an_edited_component_and_keeps_its_state() {
    let mistake = "{#if}\n";
    driven(
        "svelte",
        "ts",
        &Drive { file: "frontend/src/App.svelte", hot: true, mistake, overlay: VITE, backend_overlay: VITE },
    );
}

#[test]
fn webpack_loads_an_edited_page_again_with_its_state() {
    let mistake = "const = ;\n";
    driven(
        "webpack",
        "ts",
        &Drive {
            file: "frontend/src/index.html",
            hot: false,
            mistake,
            overlay: "",
            backend_overlay: STAYSAIL,
        },
    );
}
