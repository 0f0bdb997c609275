//! The content security policy in the window: what the page's own HTML says inline runs, and nothing that came later.

use anyhow::ensure;
use serde_json::{Value, json};
use staysail_e2e::dev::{Dev, EDIT};
use staysail_e2e::foreign::Foreign;
use staysail_e2e::page::Page;
use staysail_e2e::project::Project;
use staysail_e2e::stage::play;

/// Inline in the file, in the ways people write it; newlines of Windows among them.
const INLINE: &str = "<script>window.ran = ['classic']; window.jobs = []; setInterval(() => window.jobs.shift()?.(), 20);</script>\r\n\
    <!-- <script>window.ran.push('comment')</script> -->\r\n\
    <textarea><script>window.ran.push('text')</script></textarea>\r\n\
    <script type=\"importmap\">{ \"imports\": { \"mapped\": \"/mapped.js\" } }</script>\r\n\
    <SCRIPT TYPE='module'>\r\nimport 'mapped';\r\nwindow.ran.push('module');\r\n</SCRIPT>\r\n\
    <script>/* <!-- <script> */ window.ran.push('escaped') /* </script> --> */</script>\r\n\
    <script type=\"application/json\" id=\"data\">{ \"n\": 7 }</script>\r\n\
    <style>#styled { color: rgb(1, 2, 3); }</style><p id=\"styled\">styled</p>\r\n\
    <button id=\"handler\" onclick=\"window.ran.push('onclick')\">handler</button>\r\n\
    <img src=\"/none.png\" onerror=\"window.ran.push('onerror')\">\r\n";

/// Everything a script that was injected could try. What ran is in `ran`, what threw is not.
const INJECT: &str = "const [foreign] = arguments_; const ran = window.ran; const had = ran.length; \
    const script = text => { const one = document.createElement('script'); one.textContent = text; document.body.append(one) }; \
    script(\"window.ran.push('appended')\"); \
    const block = document.createElement('div'); \
    block.innerHTML = \"<img src=/none.png onerror=\\\"window.ran.push('innerHTML')\\\"><svg onload=\\\"window.ran.push('svg')\\\"></svg>\"; \
    document.body.append(block); \
    document.body.setAttribute('onclick', \"window.ran.push('attribute')\"); document.body.click(); \
    const link = document.createElement('a'); link.href = \"javascript:window.ran.push('javascript')\"; document.body.append(link); link.click(); \
    setTimeout(\"window.ran.push('timer')\"); \
    try { eval(\"window.ran.push('eval')\") } catch {} \
    try { new Function(\"window.ran.push('function')\")() } catch {} \
    await import('data:text/javascript,window.ran.push(\"import\")').catch(() => {}); \
    document.querySelector('#handler').click(); \
    const fetched = []; \
    for (const path of ['/styles.css', '/no/such.file', '/icon.svg', '/deep/']) { \
      const frame = document.createElement('iframe'); frame.src = path; \
      await new Promise(done => { frame.onload = done; document.body.append(frame) }); \
      const inside = frame.contentDocument; const one = inside.createElement('script'); \
      one.textContent = `parent.ran.push('in ${path}')`; inside.documentElement.append(one); \
      await frame.contentWindow.fetch(foreign).then(() => fetched.push(path), () => {}); frame.remove(); } \
    await fetch(foreign).then(() => fetched.push('page'), () => {}); \
    await new Promise(done => setTimeout(done, 300)); \
    return { ran: ran.slice(had), fetched }";

fn project_with(project: &Project, inline: &str) -> anyhow::Result<()> {
    let index = project.read("frontend/index.html")?;
    project.write("frontend/index.html", &index.replace("</body>", &format!("{inline}</body>")))?;
    project.write("frontend/mapped.js", "window.ran.push('mapped');\n")
}

fn own_scripts_run_and_injected_ones_do_not(page: &Page, foreign: &Foreign) -> anyhow::Result<()> {
    page.wait_for("the inline module", "return window.ran.includes('module')", EDIT)?;
    let ran = page.run("return window.ran", &[])?;
    ensure!(ran == json!(["classic", "escaped", "mapped", "module"]), "ran: {ran}");
    ensure!(page.run("return JSON.parse(document.querySelector('#data').textContent).n", &[])? == 7);
    let outcome = page.run_async(INJECT, &[json!(foreign.origin)])?;
    ensure!(outcome["ran"] == json!([]), "injected script ran: {outcome}");
    ensure!(outcome["fetched"] == json!([]), "a foreign host was reached: {outcome}");
    ensure!(foreign.asked().is_empty(), "a foreign host was asked: {:?}", foreign.asked());
    ensure!(page.call("say", &json!({ "text": "ahoy" }))?["value"] == "ahoy");
    Ok(())
}

#[test]
fn inline_scripts_of_the_page_run_and_injected_ones_do_not() {
    play("inline", |stage| {
        let project = Project::fixture(stage)?;
        project_with(&project, INLINE)?;
        let (_dev, page) = Dev::live(stage, &project)?;
        own_scripts_run_and_injected_ones_do_not(&page, &Foreign::start()?)?;
        stage.screenshot("page");
        // An edit brings another hash with it.
        project.edit("frontend/index.html", "window.ran = ['classic']", "window.ran = ['edited']")?;
        page.wait_for("the edited inline script", "return window.ran?.[0] === 'edited'", EDIT)
    });
}

#[test]
fn a_policy_of_the_project_gets_the_hashes_too_of_scripts_and_styles() {
    play("own-policy", |stage| {
        let project = Project::fixture(stage)?;
        project_with(&project, INLINE)?;
        project.edit(
            "staysail.toml",
            "[debug]\n",
            "[debug]\ncsp = \"default-src 'self'; object-src 'none'\"\n",
        )?;
        let (_dev, page) = Dev::live(stage, &project)?;
        own_scripts_run_and_injected_ones_do_not(&page, &Foreign::start()?)?;
        let colours: Value = page.run(
            "const style = document.createElement('style'); style.textContent = '#heading { color: rgb(9, 9, 9) }'; \
             document.head.append(style); const colour = id => getComputedStyle(document.getElementById(id)).color; \
             return [colour('styled'), colour('heading')]",
            &[],
        )?;
        ensure!(
            colours == json!(["rgb(1, 2, 3)", "rgb(10, 20, 30)"]),
            "the file's style, an injected one: {colours}"
        );
        Ok(())
    });
}
