// An app in Chromium: whatever works in its window works in a tab, and nobody else comes in.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Dev, PATIENCE_MS, ask, edit, pictures, project, startChromium } from "./dev.mjs";

let app, dev, url, browser, context;

before(
  async () => {
    app = project();
    dev = Dev.start(app.root, ["--no-window"]);
    url = new URL((await dev.until("browser_ready")).url);
    browser = await startChromium();
    context = await browser.newContext();
    context.setDefaultTimeout(PATIENCE_MS);
    await dev.until("swap_done");
    // The token becomes a cookie: what is opened after this needs none.
    const first = await context.newPage();
    await first.goto(url.href);
    assert.equal(first.url(), url.origin + "/", "the token does not stay in the address");
    await first.close();
  },
  { timeout: PATIENCE_MS },
);

after(async () => {
  await browser?.close();
  await dev?.end();
  app?.remove();
});

const isUp = (page) => page.waitForFunction(() => document.querySelector("#status")?.textContent === "up");

/** A tab whose page is up. */
async function tab() {
  const page = await context.newPage();
  await page.goto(url.origin);
  await isUp(page);
  return page;
}

/** A picture for people, beside those of the window tests. */
const picture = (page, what) => page.screenshot({ path: join(pictures, `browser-${what}.png`) });

const call = (page, command, args = {}) => page.evaluate(([command, args]) => window.fixture.invoke(command, args), [command, args]);
const failure = (page, command, args = {}) =>
  page.evaluate(([command, args]) => window.fixture.invoke(command, args).then(() => null, ({ code, details }) => ({ code, details })), [command, args]);

test("calls, typed errors, raw bytes, streams and signals work in a tab", async () => {
  const page = await tab();
  assert.equal((await call(page, "answer", { id: "a" })).version, "v0");
  assert.deepEqual(await failure(page, "order", { pieces: 9 }), { code: "App", details: { TooMany: { limit: 7 } } });
  assert.equal((await failure(page, "grete")).code, "UnknownCommand");
  const same = await page.evaluate(async () => {
    const sent = new Uint8Array(3_000_000).map((_, at) => at % 251);
    const back = new Uint8Array(await window.fixture.invoke("echo", sent));
    return back.length === sent.length && back.every((byte, at) => byte === sent[at]);
  });
  assert.ok(same, "three megabytes come back as they went");
  const numbers = await page.evaluate(async () => {
    const seen = [];
    const numbers = new window.fixture.staysail.Channel((number) => void seen.push(number));
    await window.fixture.invoke("count_up", { to: 5000, numbers });
    await numbers.closed;
    return seen;
  });
  assert.deepEqual(numbers, Array.from({ length: 5000 }, (_, number) => number));
  const cancelled = await page.evaluate(() => {
    const control = new AbortController();
    const lingering = window.fixture.invoke("linger", { id: "l" }, { signal: control.signal });
    control.abort();
    return lingering.catch((error) => error.code);
  });
  assert.equal(cancelled, "Cancelled");
  await page.close();
});

test("what needs a window says so and names the call, and what needs none works", async () => {
  const page = await tab();
  const refused = await page.evaluate(() =>
    window.fixture.staysail.currentWindow.set({ title: "x" }).then(() => null, ({ code, message, details }) => ({ code, message, details })),
  );
  assert.equal(refused?.code, "NoWindow", JSON.stringify(refused));
  assert.match(refused.message, /`window\.set` needs a window of the app: a browser tab has none/);
  assert.deepEqual(refused.details, { feature: "window.set" });
  const info = await page.evaluate(() => window.fixture.staysail.application.info());
  assert.equal(info.name, "Counter under test");
  await page.close();
});

test("twenty tabs work at once, each for itself", async () => {
  const tabs = await Promise.all(Array.from({ length: 20 }, tab));
  // Each has a request of its own that is not answered: no number of connections holds the others up.
  for (const page of tabs) await page.evaluate(() => void window.fixture.invoke("linger", { id: "t" }));
  const answers = await Promise.all(tabs.map((page, number) => call(page, "answer", { id: `tab ${number}` })));
  assert.deepEqual(answers.map(({ id }) => id), tabs.map((_, number) => `tab ${number}`));
  const labels = await Promise.all(tabs.map((page) => page.evaluate(() => window.fixture.staysail.currentWindow.label)));
  assert.equal(new Set(labels).size, 20, labels.join());
  assert.ok(labels.every((label) => /^browser-\d+$/.test(label)), labels.join());
  await Promise.all(tabs.map((page) => page.close()));
});

test("an edit of the page shows in every tab, with what was typed", async () => {
  const tabs = [await tab(), await tab()];
  for (const [number, page] of tabs.entries()) await page.fill("#name", `typed ${number}`);
  edit(app.root, "frontend/index.html", "page-0", "page-1");
  for (const [number, page] of tabs.entries()) {
    await page.waitForFunction(() => document.querySelector("#heading")?.textContent === "page-1");
    await page.waitForFunction((text) => document.querySelector("#name")?.value === text, `typed ${number}`);
  }
  const load = await tabs[0].evaluate(() => window.fixture.load);
  edit(app.root, "frontend/styles.css", "", "#heading { color: rgb(1, 2, 3) }\n");
  for (const page of tabs) {
    await page.waitForFunction(() => getComputedStyle(document.querySelector("#heading")).color === "rgb(1, 2, 3)");
  }
  assert.equal(await tabs[0].evaluate(() => window.fixture.load), load, "a style is exchanged in place");
  await Promise.all(tabs.map((page) => page.close()));
});

test("an edit of the backend goes live beneath the tabs, its state is kept, and a compile error shows", async () => {
  const tabs = [await tab(), await tab()];
  const counted = await call(tabs[0], "count", { id: "c" });
  const loads = await Promise.all(tabs.map((page) => page.evaluate(() => window.fixture.load)));
  const swapped = (page) =>
    page.waitForFunction(() => window.fixture.events.some((event) => event.name === "staysail:worker"));
  let from = dev.position;
  edit(app.root, "backend/core/src/lib.rs", '"v0"', '"v1"');
  await dev.until("swap_done", from);
  for (const [number, page] of tabs.entries()) {
    await swapped(page);
    assert.equal((await call(page, "answer", { id: "a" })).version, "v1");
    assert.equal(await page.evaluate(() => window.fixture.load), loads[number], "the page was not loaded again");
  }
  assert.equal(await call(tabs[1], "count", { id: "c" }), counted + 1);

  from = dev.position;
  edit(app.root, "backend/core/src/lib.rs", '"v1"', "1");
  await dev.until("build_failed", from);
  // The overlay's tree is closed: what it takes of the screen tells that it is there.
  await tabs[0].waitForFunction(() => document.documentElement.lastElementChild?.localName !== "body");
  await picture(tabs[0], "compile-error");
  assert.equal((await call(tabs[0], "answer", { id: "a" })).version, "v1", "the backend before goes on serving");
  from = dev.position;
  edit(app.root, "backend/core/src/lib.rs", "= 1;", '= "v2";');
  await dev.until("swap_done", from);
  assert.equal((await call(tabs[0], "answer", { id: "a" })).version, "v2");
  await Promise.all(tabs.map((page) => page.close()));
});

test("a tab that is duplicated is a tab of its own", async () => {
  const first = await tab();
  const [second] = await Promise.all([context.waitForEvent("page"), first.evaluate(() => void window.open("/"))]);
  await isUp(second);
  const labels = await Promise.all([first, second].map((page) => page.evaluate(() => window.fixture.staysail.currentWindow.label)));
  assert.notEqual(labels[0], labels[1]);
  await first.reload();
  await isUp(first);
  assert.equal(await first.evaluate(() => window.fixture.staysail.currentWindow.label), labels[0], "a reload keeps it");
  await Promise.all([first, second].map((page) => page.close()));
});

test("a wrong token, host or origin gets nothing, and no page of another port a socket", async () => {
  const [cookie] = (await context.cookies()).filter(({ name }) => name === `staysail-${url.port}`);
  assert.ok(cookie.httpOnly && cookie.sameSite === "Strict", JSON.stringify(cookie));
  const good = { host: url.host, cookie: `${cookie.name}=${cookie.value}` };
  const upgrade = {
    connection: "upgrade",
    upgrade: "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": Buffer.alloc(16).toString("base64"),
  };
  const page = `${url.origin}/`;
  const socket = `${url.origin}/__staysail/socket?tab=${"0".repeat(32)}`;
  assert.equal((await ask(page, good)).status, 200);
  assert.equal((await ask(socket, { ...good, ...upgrade, origin: url.origin })).status, 101);
  const refused = [
    [page, { host: url.host }],
    [page, { ...good, cookie: `${cookie.name}=${"0".repeat(64)}` }],
    [page, { ...good, host: `evil.example:${url.port}` }],
    [page, { ...good, origin: "http://evil.example" }],
    [page, { ...good, "sec-fetch-site": "same-site", "sec-fetch-dest": "script" }],
    [`${url.origin}/__staysail/open?token=${"0".repeat(64)}`, { host: url.host }],
    [url.href, { host: `evil.example:${url.port}` }],
    [socket, { ...good, ...upgrade }],
    [socket, { ...good, ...upgrade, origin: "null" }],
    [socket, { ...good, ...upgrade, origin: `http://127.0.0.1:${Number(url.port) ^ 1}` }],
    [socket, { ...good, ...upgrade, origin: `${url.origin}.evil.example` }],
    [socket, { host: url.host, ...upgrade, origin: url.origin }],
  ];
  for (const [address, headers] of refused) {
    const answer = await ask(address, headers);
    assert.equal(answer.status, 403, `${address} ${JSON.stringify(headers)}`);
    assert.ok(!("access-control-allow-origin" in answer.headers) && !("set-cookie" in answer.headers));
    assert.match(answer.text, /Open the address|origin is missing/);
  }

  // A page of another port has the browser send the cookie along: its origin tells it.
  const other = createServer((_, response) => response.setHeader("content-type", "text/html").end("<p>other"));
  await new Promise((resolve) => other.listen(0, "127.0.0.1", resolve));
  const stranger = await context.newPage();
  await stranger.goto(`http://127.0.0.1:${other.address().port}/`);
  const got = await stranger.evaluate(async ([page, socket]) => {
    const opened = await new Promise((resolve) => {
      const tried = new WebSocket(socket);
      tried.onopen = () => resolve("open");
      tried.onerror = () => resolve("refused");
    });
    const read = await fetch(page, { credentials: "include" }).then((answer) => answer.text(), () => "refused");
    return [opened, read];
  }, [page, socket.replace("http", "ws")]);
  assert.deepEqual(got, ["refused", "refused"]);
  await stranger.close();
  other.close();
});

test("when staysail dev ends, a tab says so and goes on standing", async () => {
  const page = await tab();
  await page.fill("#name", "still here");
  await dev.end();
  assert.equal((await failure(page, "answer", { id: "x" })).code, "Internal");
  assert.equal(await page.inputValue("#name"), "still here");
  await page.waitForFunction(() => document.documentElement.lastElementChild?.localName !== "body");
  await picture(page, "ended");
});
