//! Where the window goes, what opens in the user's browser, and that no second webview ever opens.

use anyhow::ensure;
use serde_json::{Value, json};
use staysail_e2e::dev::{Dev, EDIT};
use staysail_e2e::foreign::{Browser, Foreign};
use staysail_e2e::page::Page;
use staysail_e2e::project::{COLD_BUILD, Project};
use staysail_e2e::stage::{Stage, play};

/// Links and buttons, and a timer that does what a test puts into `jobs`: without any gesture of the user.
fn with_links(project: &Project, foreign: &str) -> anyhow::Result<()> {
    let links = format!(
        "<p><a id=out href='{foreign}/out'>out</a> <a id=blank target=_blank href='{foreign}/blank'>blank</a> \
         <a id=mail href='mailto:a@example.com'>mail</a> <a id=own target=_blank href='/deep/'>own</a> \
         <a id=file href='file:///etc/passwd'>file</a> <a id=middle href='{foreign}/middle'>middle</a> \
         <button id=popup>popup</button></p>\
         <script>window.jobs = []; window.got = []; setInterval(() => window.jobs.shift()?.(), 20); \
         document.querySelector('#popup').onclick = () => window.popup();</script>"
    );
    let index = project.read("frontend/index.html")?;
    project.write("frontend/index.html", &index.replace("<h1 ", &format!("{links}<h1 ")))
}

fn start(stage: &Stage, project: &Project, browser: &Browser) -> anyhow::Result<(Dev, Page)> {
    let mut dev = Dev::start_with(stage, project, &[("PATH", &browser.path())])?;
    dev.wait("swap_done", 0, COLD_BUILD)?;
    let page = Page::attach(stage, dev.port, EDIT)?;
    Ok((dev, page))
}

/// Does something in the page without a gesture, and waits until it is done.
fn by_itself(page: &Page, script: &str) -> anyhow::Result<Value> {
    page.run_async(
        &format!("return await new Promise(done => window.jobs.push(() => done((() => {{ {script} }})())))"),
        &[],
    )
}

/// The page is still the one that was there, and it can call.
fn stays(page: &Page, load: &str) -> anyhow::Result<()> {
    ensure!(page.load()? == load, "another page was loaded");
    ensure!(page.call("say", &json!({ "text": "ahoy" }))?["value"] == "ahoy");
    Ok(())
}

#[test]
fn links_out_open_in_the_users_browser_when_the_user_clicks_and_the_window_stays() {
    play("links", |stage| {
        let (foreign, browser) = (Foreign::start()?, Browser::install(stage)?);
        let project = Project::fixture(stage)?;
        with_links(&project, &foreign.origin)?;
        let (dev, page) = start(stage, &project, &browser)?;
        let load = page.load()?;
        let at = |path: &str| format!("{}/{path}", foreign.origin);

        // A script alone: nothing opens, and nothing is sent out.
        for script in [
            format!("location.href = '{}'", at("sent")),
            format!(
                "const link = document.createElement('a'); link.href = '{}'; document.body.append(link); link.click()",
                at("sent")
            ),
            "location.href = 'mailto:sent@example.com'".to_owned(),
            // What a page makes itself may be downloaded, and is no page of the window.
            "const link = document.createElement('a'); document.body.append(link); \
             link.href = URL.createObjectURL(new Blob(['<title>made</title>'], { type: 'text/html' })); link.click()"
                .to_owned(),
            "const link = document.createElement('a'); document.body.append(link); \
             link.href = 'data:text/html,<title>made</title>'; link.click()"
                .to_owned(),
            format!(
                "document.body.insertAdjacentHTML('beforeend', '<meta http-equiv=refresh content=\"0;url={}\">')",
                at("sent")
            ),
        ] {
            by_itself(&page, &script)?;
        }
        let popup = by_itself(&page, &format!("return window.open('{}') === null", at("sent")))?;
        ensure!(popup == true, "a script got a window");
        stays(&page, &load)?;

        page.click(&page.find("#out")?)?;
        browser.wait_opened(&at("out"))?;
        page.click(&page.find("#blank")?)?;
        browser.wait_opened(&at("blank"))?;
        page.click(&page.find("#mail")?)?;
        browser.wait_opened("mailto:a@example.com")?;
        page.run("window.popup = () => window.got.push(window.open(arguments[0]))", &[json!(at("popup"))])?;
        page.click(&page.find("#popup")?)?;
        browser.wait_opened(&at("popup"))?;
        ensure!(page.run("return window.got", &[])? == json!([null]), "a page got hold of a window");
        page.click(&page.find("#file")?)?;
        stays(&page, &load)?;

        // Its own pages: no window of the webview's, and the log says what to do instead.
        page.click(&page.find("#own")?)?;
        page.run(
            "window.popup = () => { const opened = window.open('/deep/'); window.got.push(opened) }",
            &[],
        )?;
        page.click(&page.find("#popup")?)?;
        page.wait_for(
            "the second answer of window.open",
            "return window.got.length === 2 && window.got[1] === null",
            EDIT,
        )?;
        stays(&page, &load)?;
        ensure!(
            stage.display.windows("Counter under test").len() == 1
                && stage.display.windows("deep").is_empty()
        );
        staysail_e2e::wait_until("the log to say how", EDIT, || {
            let lines = dev.program.lines();
            if lines.iter().any(|line| line.contains("openWindow")) {
                Ok(())
            } else {
                Err(format!("{lines:?}"))
            }
        })?;

        let opened = browser.opened();
        ensure!(!opened.iter().any(|one| one.contains("sent") || one.contains("file:")), "{opened:?}");
        ensure!(foreign.asked().is_empty(), "the window itself went out: {:?}", foreign.asked());
        Ok(())
    });
}

#[test]
fn a_page_opens_only_so_many_links_in_a_while_also_by_the_middle_button() {
    play("many-links", |stage| {
        let (foreign, browser) = (Foreign::start()?, Browser::install(stage)?);
        let project = Project::fixture(stage)?;
        with_links(&project, &foreign.origin)?;
        let (_dev, page) = start(stage, &project, &browser)?;
        let load = page.load()?;
        let window = stage.display.window("Counter under test", EDIT)?;
        stage.display.focus(&window)?;
        let middle = page.run(
            "const box = document.querySelector('#middle').getBoundingClientRect(); \
             return [Math.round(box.x + box.width / 2), Math.round(box.y + box.height / 2)]",
            &[],
        )?;
        let (x, y) = (middle[0].to_string(), middle[1].to_string());
        stage.display.tool("xdotool", &["mousemove", "--window", &window, &x, &y, "click", "2"])?;
        browser.wait_opened(&format!("{}/middle", foreign.origin))?;

        page.run(
            "window.popup = () => { for (let i = 0; i < 40; i++) window.open(`${arguments[0]}/${i}`); window.got.push('all') }",
            &[json!(foreign.origin)],
        )?;
        page.click(&page.find("#popup")?)?;
        page.wait_for("the click", "return window.got.includes('all')", EDIT)?;
        stays(&page, &load)?;
        // `browser_opens_max`
        staysail_e2e::wait_until("the links that open", EDIT, || {
            let count = browser.opened().len();
            if count >= 5 { Ok(()) } else { Err(count.to_string()) }
        })?;
        ensure!(browser.opened().len() <= 6, "{:?}", browser.opened());
        ensure!(foreign.asked().is_empty(), "the window itself went out: {:?}", foreign.asked());
        Ok(())
    });
}

/// What a foreign page that may call gets, and what it does not: texts and bytes, short and long, by every way there is.
const CALLS: &str = "const runtime = window.__STAYSAIL__; const code = promise => promise.then(value => value, error => error.code); \
    const bytes = new Uint8Array(await runtime.call('echo', new Uint8Array(3_000_000).fill(7))); \
    return { said: await runtime.call('say', { text: 'ahoy' }), \
      long: (await runtime.call('say', { text: 'x'.repeat(300_000) })).length, bytes: [bytes.length, bytes[2_999_999]], \
      command: await code(runtime.call('answer', { id: 'stolen' })), state: (await runtime.desktop('window.state', {})).label, \
      feature: await code(runtime.desktop('window.set', { change: { title: 'Mine' } })), port: typeof window.__staysail_port }";

#[test]
fn a_page_of_an_origin_that_may_call_gets_what_its_window_may_and_one_beside_it_nothing() {
    for way in ["on", "off", "post"] {
        play(&format!("origins-{way}"), |stage| {
            let (named, beside) = (Foreign::start()?, Foreign::start()?);
            let project = Project::fixture(stage)?;
            project.allow(&format!(
                "windows = [\"main\"]\nallow = [\"window.state\"]\ncommands = [\"say\", \"echo\"]\norigins = [\"{}\"]\n\
                 navigate = [\"{}\"]",
                named.origin, beside.origin
            ))?;
            let mut dev = Dev::start_with(stage, &project, &[("STAYSAIL_PORT", way)])?;
            dev.wait("swap_done", 0, COLD_BUILD)?;
            let page = Page::attach(stage, dev.port, EDIT)?;
            let go = |origin: &str| {
                page.run(
                    "setTimeout(address => location.href = address, 0, arguments[0])",
                    &[json!(origin)],
                )?;
                let there =
                    format!("return location.origin === '{origin}' && document.readyState === 'complete'");
                page.wait_for(origin, &there, EDIT)
            };
            go(&named.origin)?;
            let found = page.run_async(CALLS, &[])?;
            let wanted = json!({
                "said": "ahoy", "long": 300_000, "bytes": [3_000_000, 7], "command": "Denied", "state": "main",
                "feature": "Denied", "port": "undefined",
            });
            ensure!(found == wanted, "{way}: {found}");
            // Another port is another origin: the window may show it, and nothing more.
            go(&beside.origin)?;
            ensure!(page.run("return typeof window.__STAYSAIL__", &[])? == "undefined");
            let executed = staysail_e2e::ledger::executions(&stage.ledger_file())?;
            ensure!(!executed.iter().any(|one| one.id == "stolen"), "a command was called that is not named");
            Ok(())
        });
    }
}

#[test]
fn a_window_goes_to_origins_its_capability_names_and_they_get_no_bridge() {
    play("navigate", |stage| {
        let (foreign, other, browser) = (Foreign::start()?, Foreign::start()?, Browser::install(stage)?);
        let project = Project::fixture(stage)?;
        with_links(&project, &foreign.origin)?;
        project.allow(&format!(
            "windows = [\"main\"]\nnavigate = [\"{}\"]\npermissions = [\"geolocation\"]",
            foreign.origin
        ))?;
        let (_dev, page) = start(stage, &project, &browser)?;
        let load = page.load()?;
        by_itself(&page, &format!("location.href = '{}/docs'", foreign.origin))?;
        let title = |wanted: &str| {
            staysail_e2e::wait_until(&format!("the title {wanted}"), EDIT, || match page.title() {
                Ok(title) if title == wanted => Ok(()),
                other => Err(format!("{other:?}")),
            })
        };
        title("stranger")?;
        let found = page.run_async(
            "const request = JSON.stringify({ k: 'guess', t: 'call', i: 1, c: 'answer' }) + '\\n' + JSON.stringify({ id: 'stolen' }); \
             const direct = await fetch('app://localhost/__staysail/call', { method: 'POST', body: request }).then(answer => answer.text(), () => 'refused'); \
             const message = await Promise.resolve(window.webkit?.messageHandlers?.staysail?.postMessage(request)).then(String, () => 'refused'); \
             const place = await new Promise(done => navigator.geolocation \
             ? navigator.geolocation.getCurrentPosition(() => done('found'), error => done(error.code)) : done('none')); \
             return { runtime: typeof window.__STAYSAIL__, port: typeof window.__staysail_port, direct, message, place }",
            &[],
        )?;
        println!("a page that may only be shown got {found}");
        ensure!(found["runtime"] == "undefined" && found["port"] == "undefined", "{found}");
        ensure!(found["direct"] == "refused", "{found}");
        let message = found["message"].as_str().unwrap_or_default();
        ensure!(message == "refused" || message.contains("Denied") || message == "undefined", "{found}");
        ensure!(
            found["place"] == 1 || found["place"] == "none",
            "a foreign page was permitted what the app's own are: {found}"
        );
        stage.screenshot("foreign");
        // From there on to a third one: not named.
        page.run(
            "setTimeout(address => location.href = address, 0, arguments[0])",
            &[json!(format!("{}/third", other.origin))],
        )?;
        page.run_async("await new Promise(done => setTimeout(done, 500))", &[])?;
        title("stranger")?;
        ensure!(
            page.text(&page.find("#path")?)? == "/docs" && other.asked().is_empty(),
            "{:?}",
            other.asked()
        );

        page.run("setTimeout(() => history.back())", &[])?;
        title("Counter under test")?;
        page.wait_up()?;
        ensure!(page.load()? != load);
        ensure!(
            page.call("say", &json!({ "text": "ahoy" }))?["value"] == "ahoy",
            "no bridge after the way back"
        );
        let stolen = staysail_e2e::ledger::executions(&stage.ledger_file())?;
        ensure!(
            !stolen.iter().any(|execution| execution.id == "stolen"),
            "a foreign page's call was executed"
        );
        Ok(())
    });
}
