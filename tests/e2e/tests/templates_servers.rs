//! Dev servers that end, come back, find their port taken, or speak HTTPS: the window stays and shows the page.

use anyhow::{Context, ensure};
use serde_json::json;
use staysail_e2e::dev::EDIT;
use staysail_e2e::page::Page;
use staysail_e2e::processes::Process;
use staysail_e2e::project::Project;
use staysail_e2e::stage::{Stage, play};
use staysail_e2e::template::{SOON, end, greet, init, install, live};
use std::net::TcpListener;

/// Makes the page say when the bundler's socket is open: an edit before that is news to nobody, with Vite alone, too.
fn say_when_connected(project: &Project) -> anyhow::Result<()> {
    let file = "frontend/src/main.js";
    let script = "import.meta.hot?.on('staysail:backend', () => (window.connected = true));\n\
                  import.meta.hot?.send('staysail:hello');\n";
    project.write(file, &format!("{}{script}", project.read(file)?))
}

fn wait_connected(page: &Page) -> anyhow::Result<()> {
    page.wait_for("the bundler's socket", "return window.connected === true", EDIT)
}

/// The process that serves the page, and not the ones that started it.
fn server(stage: &Stage) -> anyhow::Result<Process> {
    let processes = stage.processes();
    let is_server = |process: &&Process| {
        process.command_line.starts_with("node ") && process.command_line.contains("vite")
    };
    processes.iter().find(is_server).cloned().with_context(|| format!("no dev server among {processes:?}"))
}

#[test]
fn a_dev_server_that_ends_is_started_again_and_the_page_comes_back_with_its_state() {
    play("server-again", |stage| {
        let project = init(stage, "vite", "js")?;
        install(stage, &project)?;
        say_when_connected(&project)?;
        let (mut dev, page) = live(stage, &project)?;
        page.send_keys(&page.find("#name")?, "Ada")?;
        greet(&page, "Hello, Ada!")?;
        for _ in 0..2 {
            let from = dev.position();
            server(stage)?.kill();
            let ended = dev.wait("error", from, SOON)?;
            ensure!(
                ended["message"].as_str().is_some_and(|text| text.contains("it is being started again")),
                "{ended}"
            );
            stage.screenshot("ended");
            greet(&page, "Hello, Ada!")?;
            let back = dev.wait("notice", from, EDIT)?;
            ensure!(back["message"] == "the dev server is back", "{back}");
            page.wait_for(
                "the message to go away",
                "return !document.querySelector('staysail-overlay')",
                EDIT,
            )?;
        }
        wait_connected(&page)?;
        project.edit("frontend/src/style.css", "#0f766e", "#010203")?;
        let live =
            "return getComputedStyle(document.documentElement).getPropertyValue('--accent') === '#010203'";
        page.wait_for("an edit after the return", live, EDIT)?;
        let typed = page.run("return document.querySelector('#name').value", &[])?;
        ensure!(typed == json!("Ada"), "the field holds {typed}");
        drop(page);
        end(stage, &project, dev)
    });
}

/// Answers none of the page's scripts while there is a file `broken`.
const WITHOUT_SCRIPTS: &str = "plugins: [
    { configureServer: (server) => void server.middlewares.use((request, response, next) => {
      if (!existsSync('broken') || !/^\\/(src\\/main.js|@vite\\/client)/.test(request.url)) return next();
      response.statusCode = 503;
      response.end();
    }) },
    staysail()]";

#[test]
fn a_page_that_could_not_be_loaded_for_want_of_its_server_comes_back_with_its_state() {
    play("server-absent", |stage| {
        let project = init(stage, "vite", "js")?;
        install(stage, &project)?;
        let held = "command = \"while [ -e closed ]; do sleep 0.05; done; exec npm run dev\"";
        project.edit("staysail.toml", "command = \"npm run dev\"", held)?;
        project.edit("frontend/vite.config.js", "plugins: [staysail()]", WITHOUT_SCRIPTS)?;
        let config = project.read("frontend/vite.config.js")?;
        project.write(
            "frontend/vite.config.js",
            &format!("import {{ existsSync }} from 'node:fs';\n{config}"),
        )?;
        say_when_connected(&project)?;
        let script = project.read("frontend/src/main.js")?;
        project.write("frontend/src/main.js", &format!("{script}window.began = true;\n"))?;
        let (mut dev, page) = live(stage, &project)?;
        wait_connected(&page)?;
        page.run("history.pushState(null, '', '/elsewhere')", &[])?;
        page.send_keys(&page.find("#name")?, "Ada")?;
        let (closed, broken) = (project.file("frontend/closed"), project.file("frontend/broken"));
        let load = |what: &str, shown: &str| {
            page.run("window.mark = 'load before'; location.reload()", &[])?;
            page.wait_for(what, shown, EDIT)
        };
        for without_scripts in [false, true] {
            let from = dev.position();
            std::fs::write(&closed, "")?;
            if without_scripts {
                std::fs::write(&broken, "")?;
                let shown =
                    "return window.mark === undefined && document.readyState === 'complete' && !window.began";
                load("a page without its scripts", shown)?;
                std::fs::remove_file(&broken)?;
            }
            server(stage)?.kill();
            dev.wait("error", from, SOON)?;
            if !without_scripts {
                load("a load that fails", "return !document.querySelector('#greet')")?;
            }
            stage.screenshot("absent");
            std::fs::remove_file(&closed)?;
            wait_connected(&page)?;
            let kept = "return document.querySelector('#name').value === 'Ada'";
            page.wait_for("what was typed", kept, SOON)?;
            ensure!(page.run("return location.pathname", &[])? == "/elsewhere", "the page is another one");
            greet(&page, "Hello, Ada!")?;
        }
        drop(page);
        end(stage, &project, dev)
    });
}

#[test]
fn a_taken_port_is_no_obstacle_for_a_bundler_that_is_told_its_port() {
    play("port-taken", |stage| {
        let project = init(stage, "vite", "js")?;
        install(stage, &project)?;
        let settings = project.read("staysail.toml")?;
        let (_, port) = settings.split_once("localhost:").context("no port")?;
        let port: String = port.chars().take_while(char::is_ascii_digit).collect();
        let _taken = TcpListener::bind(("127.0.0.1", port.parse()?))?;
        let (mut dev, page) = live(stage, &project)?;
        let used = page.run("return location.port", &[])?;
        ensure!(used != json!(port), "the page comes from the port that was taken");
        greet(&page, "Hello")?;
        drop(page);
        dev.program.signal_group(libc::SIGINT);
        dev.program.wait(SOON)?;
        stage.wait_nothing_left(SOON)
    });
}

#[test]
fn a_dev_server_with_a_certificate_of_its_own_is_shown_and_exchanges_modules() {
    play("https", |stage| {
        let project = init(stage, "vite", "js")?;
        install(stage, &project)?;
        let mut openssl = stage.command("openssl".as_ref());
        openssl.current_dir(project.file("frontend")).args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            "-keyout",
            "key.pem",
            "-out",
            "certificate.pem",
        ]);
        staysail_e2e::child::run("openssl", openssl, SOON)?;
        project.edit("staysail.toml", "http://localhost", "https://localhost")?;
        project.edit(
            "frontend/vite.config.js",
            "plugins: [staysail()]",
            "plugins: [staysail()], server: { https: { key: readFileSync('key.pem'), cert: readFileSync('certificate.pem') } }",
        )?;
        let config = project.read("frontend/vite.config.js")?;
        project.write(
            "frontend/vite.config.js",
            &format!("import {{ readFileSync }} from 'node:fs';\n{config}"),
        )?;
        say_when_connected(&project)?;
        let (dev, page) = live(stage, &project)?;
        let scheme = page.run("return location.protocol", &[])?;
        ensure!(scheme == "https:", "the page came by {scheme}");
        greet(&page, "Hello")?;
        page.run("window.mark = 'same load'", &[])?;
        wait_connected(&page)?;
        project.edit("frontend/src/style.css", "#0f766e", "#010203")?;
        let live =
            "return getComputedStyle(document.documentElement).getPropertyValue('--accent') === '#010203'";
        page.wait_for("a style by the secure socket", live, EDIT)?;
        ensure!(page.run("return window.mark", &[])? == "same load", "the page was loaded again");
        drop(page);
        end(stage, &project, dev)
    });
}

#[test]
fn hot_exchange_goes_by_a_host_and_port_of_its_own_where_the_bundler_is_told_so() {
    play("hmr-port", |stage| {
        let project = init(stage, "vite", "js")?;
        install(stage, &project)?;
        say_when_connected(&project)?;
        let port = staysail_e2e::free_port()?;
        let hmr = format!(
            "plugins: [staysail()], server: {{ hmr: {{ host: '127.0.0.1', port: {port}, clientPort: {port} }} }}"
        );
        project.edit("frontend/vite.config.js", "plugins: [staysail()]", &hmr)?;
        let (dev, page) = live(stage, &project)?;
        wait_connected(&page)?;
        page.run("window.mark = 'same load'", &[])?;
        project.edit("frontend/src/style.css", "#0f766e", "#010203")?;
        let live =
            "return getComputedStyle(document.documentElement).getPropertyValue('--accent') === '#010203'";
        page.wait_for("a style by the other port", live, EDIT)?;
        ensure!(page.run("return window.mark", &[])? == "same load", "the page was loaded again");
        drop(page);
        end(stage, &project, dev)
    });
}

/// A plugin with which Webpack hears of every save half a second late, as it may on a machine that is busy.
const HEARS_LATE: &str = "plugins: [
    { apply(compiler) { compiler.hooks.afterEnvironment.tap('late', () => {
      const files = compiler.watchFileSystem;
      const watch = files.watch.bind(files);
      const late = (heard) => (...what) => setTimeout(() => heard(...what), 500);
      files.watch = (...all) => watch(...all.map((one) => (typeof one === 'function' ? late(one) : one)));
    }) } },";

#[test]
fn a_page_is_loaded_again_with_what_was_saved_although_webpack_hears_of_it_late() {
    play("server-late", |stage| {
        let project = init(stage, "webpack", "js")?;
        install(stage, &project)?;
        project.edit("frontend/webpack.config.js", "plugins: [", HEARS_LATE)?;
        let (dev, page) = live(stage, &project)?;
        for (from, to) in [(">Set sail<", ">Cast off<"), (">Cast off<", ">Weigh anchor<")] {
            project.edit("frontend/src/index.html", from, to)?;
            let shown = format!("return document.querySelector('#sail')?.outerHTML.includes({to:?})");
            page.wait_for("the edited page", &shown, EDIT)?;
        }
        drop(page);
        end(stage, &project, dev)
    });
}
