//! The other half of the templates: those in JavaScript build and pass their own tests, and those without a bundler are
//! driven, too.

use anyhow::ensure;
use staysail_e2e::child;
use staysail_e2e::dev::EDIT;
use staysail_e2e::project::COLD_BUILD;
use staysail_e2e::stage::{cargo_target, play};
use staysail_e2e::template::{Drive, build_and_test, drive, end, greet, init, install, live};

#[test]
fn the_templates_in_javascript_build_and_pass_their_own_tests() {
    play("templates-js", |stage| {
        for template in ["vite", "react", "vue", "svelte", "webpack"] {
            let project = init(stage, template, "js")?;
            install(stage, &project)?;
            build_and_test(stage, &project)?;
        }
        Ok(())
    });
}

#[test]
fn typescript_without_a_bundler_is_compiled_at_each_save_and_the_page_loaded_with_its_state() {
    play("template-vanilla-ts", |stage| {
        let project = init(stage, "vanilla", "ts")?;
        install(stage, &project)?;
        drive(
            stage,
            &project,
            &Drive {
                file: "frontend/public/index.html",
                hot: false,
                mistake: ("frontend/src/main.ts", "const = ;\n"),
                overlay: "staysail-overlay",
                backend_overlay: "staysail-overlay",
            },
        )?;
        let (dev, page) = live(stage, &project)?;
        greet(&page, "Ahoy")?;
        project.edit("frontend/src/words.ts", "1 greeting", "One greeting")?;
        page.wait_for(
            "the compiled edit",
            "return fetch('/js/words.js').then(answer => answer.text()).then(text => text.includes('One greeting'))",
            EDIT,
        )?;
        drop(page);
        end(stage, &project, dev)
    });
}

#[test]
fn javascript_without_a_bundler_needs_no_packages() {
    play("template-vanilla-js", |stage| {
        let project = init(stage, "vanilla", "js")?;
        ensure!(!project.file("frontend/package.json").exists(), "there are packages");
        drive(
            stage,
            &project,
            &Drive {
                file: "frontend/index.html",
                hot: false,
                mistake: ("frontend/main.js", "const = ;\n"),
                overlay: "staysail-overlay",
                backend_overlay: "staysail-overlay",
            },
        )?;
        let mut tests = stage.command("cargo".as_ref());
        tests
            .args(["test", "--workspace"])
            .current_dir(&project.root)
            .env("CARGO_TARGET_DIR", cargo_target());
        child::run("cargo test", tests, COLD_BUILD).map(drop)
    });
}
