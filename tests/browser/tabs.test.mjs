// An app in Chromium: whatever works in its window works in a tab, and nobody else comes in.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Dev, PATIENCE_MS, ask, edit, project, startChromium } from "./dev.mjs";

let app, dev, url, browser, context;

before(async () => {
  app = project();
  dev = Dev.start(app.root);
  url = new URL((await dev.until("browser_ready")).url);
  browser = await startChromium();
  context = await browser.newContext();
  context.setDefaultTimeout(PATIENCE_MS);
  await dev.until("swap_done");
  // The token becomes a cookie: what is opened after this needs none.
  const first = await context.newPage();
  await first.goto(url.href);
  await first.close();
}, { timeout: PATIENCE_MS });

after(async () => {
  await browser?.close();
  await dev?.end();
  app?.remove();
});

/** A tab whose page is up. */
async function tab() {
  const page = await context.newPage();
  await page.goto(url.origin);
  await page.waitForFunction(() => window.fixture?.staysail.facts?.generation ?? document.querySelector("#status")?.textContent === "up");
  return page;
}

const call = (page, command, args = {}) => page.evaluate(([command, args]) => window.fixture.invoke(command, args), [command, args]);
const failure = (page, command, args = {}) =>
  page.evaluate(([command, args]) => window.fixture.invoke(command, args).then(() => null, ({ code, message, details }) => ({ code, message, details })), [command, args]);

test("calls, typed errors, raw bytes and streams work in a tab", async () => {
  const page = await tab();
  assert.equal((await call(page, "answer", { id: "a" })).version, "v0");
  assert.deepEqual((await failure(page, "order", { pieces: 9 })).code, "App");
  const unknown = await failure(page, "grete");
  assert.equal(unknown.code, "UnknownCommand");
  const bytes = await page.evaluate(async () => {
    const sent = new Uint8Array(3_000_000).map((_, at) => at % 251);
    const back = new Uint8Array(await window.fixture.invoke("echo", sent));
    return back.length === sent.length && back.every((byte, at) => byte === sent[at]);
  });
  assert.ok(bytes, "three megabytes come back as they went");
  const numbers = await page.evaluate(async () => {
    const seen = [];
    const numbers = new window.fixture.staysail.Channel((number) => void seen.push(number));
    await window.fixture.invoke("count_up", { to: 500, numbers });
    return seen;
  });
  assert.deepEqual(numbers, Array.from({ length: 500 }, (_, number) => number));
  const cancelled = await page.evaluate(() => {
    const control = new AbortController();
    const lingering = window.fixture.invoke("linger", { id: "l" }, { signal: control.signal });
    control.abort();
    return lingering.catch((error) => error.code);
  });
  assert.equal(cancelled, "Cancelled");
  await page.close();
});

test("what needs a window says so, and which call it was", async () => {
  const page = await tab();
  edit(app.root, "staysail.toml", "[production]", "[production]");
  const denied = await page.evaluate(() => window.fixture.staysail.currentWindow().setTitle("x").then(() => null, ({ code, message, details }) => ({ code, message, details })));
  assert.equal(denied.code, "NoWindow", JSON.stringify(denied));
  assert.match(denied.message, /browser tab/);
  assert.deepEqual(denied.details, { feature: "window.set" });
  await page.close();
});
