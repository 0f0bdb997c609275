//! Each template with a bundler, as a newcomer drives it: the bundler's own hot exchange, mistakes, and a clean end.

use staysail_e2e::stage::play;
use staysail_e2e::template::{Drive, drive, init, install};

const VITE: &str = "vite-error-overlay";
const STAYSAIL: &str = "staysail-overlay";

/// In both languages.
fn driven(template: &str, what: impl Fn(&str) -> Drive) {
    for language in ["ts", "js"] {
        play(&format!("template-{template}-{language}"), |stage| {
            let project = init(stage, template, language)?;
            install(stage, &project)?;
            drive(stage, &project, &what(language))
        });
    }
}

#[test]
fn vite_without_a_framework_loads_an_edited_page_again_with_its_state() {
    driven("vite", |language| Drive {
        file: "frontend/index.html",
        hot: false,
        mistake: (main_of(language), "const = ;\n"),
        // Vite hands plain JavaScript on unread.
        overlay: if language == "js" { STAYSAIL } else { VITE },
        backend_overlay: VITE,
    });
}

#[test]
fn react_exchanges_an_edited_component_and_keeps_its_state() {
    driven("react", |language| {
        let file = if language == "ts" { "frontend/src/App.tsx" } else { "frontend/src/App.jsx" };
        component(file, "const = ;\n")
    });
}

#[test]
fn vue_exchanges_an_edited_template_and_keeps_its_state() {
    driven("vue", |_| component("frontend/src/App.vue", "<template><p></template>\n"));
}

#[test]
fn svelte_exchanges_an_edited_component_and_keeps_its_state() {
    driven("svelte", |_| component("frontend/src/App.svelte", "{#if}\n"));
}

fn component(file: &'static str, mistake: &'static str) -> Drive {
    Drive { file, hot: true, mistake: (file, mistake), overlay: VITE, backend_overlay: VITE }
}

fn main_of(language: &str) -> &'static str {
    if language == "ts" { "frontend/src/main.ts" } else { "frontend/src/main.js" }
}

#[test]
fn webpack_loads_an_edited_page_again_with_its_state() {
    driven("webpack", |language| Drive {
        file: "frontend/src/index.html",
        hot: false,
        mistake: (main_of(language), "const = ;\n"),
        overlay: "#webpack-dev-server-client-overlay",
        backend_overlay: STAYSAIL,
    });
}
