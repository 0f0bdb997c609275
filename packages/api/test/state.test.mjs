import assert from "node:assert/strict";
import test from "node:test";
import { open, until } from "./shell.mjs";

const FORM = `<body><form>
  <input id="name"><input name="city"><input type="password" id="secret"><input type="file" id="file">
  <p><textarea></textarea></p><input type="checkbox" id="yes"><input type="radio" name="r" value="a" checked><input type="radio" name="r" value="b">
  <select id="pick"><option selected>one</option><option>two</option></select>
  <input id="off" data-staysail-keep="off"><input id="untouched" value="default">
</form><div id="rich" contenteditable="true">old</div></body>`;

async function filled() {
  const shell = await open({ html: FORM });
  await until(() => shell.of("ready").length === 1);
  const { document } = shell.window;
  const at = (id) => document.getElementById(id);
  at("name").value = "Ada";
  document.querySelector("[name=city]").value = "London";
  at("secret").value = "hunter2";
  at("off").value = "not me";
  document.querySelector("textarea").value = "long text";
  at("yes").checked = true;
  document.querySelector("[value=b]").checked = true;
  at("pick").value = "two";
  at("name").focus();
  at("name").setSelectionRange(1, 2);
  return shell;
}

async function kept(shell) {
  shell.tell({ t: "reload" });
  await until(() => shell.reloads === 1);
  return JSON.parse(shell.of("keep_state").at(-1).payload);
}

test("form fields, focus and selection survive a reload; passwords do not travel", async () => {
  const before = await filled();
  before.window.document.getElementById("rich").focus();
  before.window.document.getElementById("name").focus();
  const state = await kept(before);
  assert.ok(!JSON.stringify(state).includes("hunter2"));
  assert.ok(!JSON.stringify(state).includes("not me"));
  assert.ok(!JSON.stringify(state).includes("default"), "a field nobody changed is left to the new page");

  const inputs = [];
  const after = await open({ html: FORM, welcome: { state }, page: (window) => window.addEventListener("input", (event) => inputs.push(event.target.id)) });
  const { document } = after.window;
  await until(() => document.getElementById("name")?.value === "Ada");
  const value = (selector) => document.querySelector(selector).value;
  assert.deepEqual([value("[name=city]"), value("textarea"), value("#pick")], ["London", "long text", "two"]);
  assert.equal(document.getElementById("yes").checked, true);
  assert.equal(document.querySelector("[value=b]").checked, true);
  assert.equal(value("#secret"), "");
  assert.ok(inputs.includes("name"), "frameworks hear of the value as if it had been typed");
  await until(() => document.activeElement === document.getElementById("name"));
  assert.deepEqual([document.activeElement.selectionStart, document.activeElement.selectionEnd], [1, 2]);
});

test("fields that are rendered late get their value, too", async () => {
  const state = await kept(await filled());
  const after = await open({ html: "<body><main></main></body>", welcome: { state } });
  await after.api.ready;
  const { document } = after.window;
  const input = document.createElement("input");
  input.id = "name";
  document.querySelector("main").append(input);
  await until(() => input.value === "Ada");
});

test("preserve hooks get back what they saved, at once and only once", async () => {
  const before = await open();
  await until(() => before.of("ready").length === 1);
  before.api.preserve("cart", { save: () => ({ items: [1, 2] }), restore: () => assert.fail("nothing was kept") });
  before.api.preserve("broken", { save: () => { throw new Error("no"); }, restore() {} });
  const state = await kept(before);
  const after = await open({ welcome: { state } });
  const got = [];
  await after.api.ready;
  after.api.preserve("cart", { save: () => 0, restore: (cart) => got.push(cart.items.length) });
  assert.deepEqual(got, [2]);
  after.api.preserve("cart", { save: () => 0, restore: () => got.push("again") });
  assert.deepEqual(got, [2]);
});

test("a page that never came up does not overwrite what was kept for it", async () => {
  const shell = await open({ page: (window) => window.dispatchEvent(new window.ErrorEvent("error", { message: "boom" })) });
  await shell.api.ready;
  shell.tell({ t: "reload" });
  await until(() => shell.reloads === 1);
  assert.equal(shell.of("keep_state").length, 0);
});

test("a reload waits for calls under way, holds new ones back, and is never waited for longer than its bound", async () => {
  let finish;
  const shell = await open({ commands: { slow: () => new Promise((go) => (finish = go)), fast: () => 1, stuck: () => new Promise(() => {}) } });
  await until(() => shell.of("ready").length === 1);
  const slow = shell.api.invoke("slow");
  await until(() => finish);
  shell.tell({ t: "reload" });
  await until(() => shell.waiting);
  void shell.api.invoke("fast");
  assert.equal(shell.reloads, 0);
  finish("done");
  assert.equal(await slow, "done");
  await until(() => shell.reloads === 1);
  assert.equal(shell.of("call").length, 1, "a call made while the page is leaving is not started");

  const other = await open({ commands: { stuck: () => new Promise(() => {}) } });
  await until(() => other.of("ready").length === 1);
  void other.api.invoke("stuck");
  await until(() => other.of("call").length === 1);
  other.tell({ t: "reload" });
  await until(() => other.reloads === 1);
});

test("a reload the shell did not ask for keeps the state for the same address and a minute", async () => {
  const before = await filled();
  before.window.dispatchEvent(new before.window.Event("pagehide"));
  await until(() => before.of("keep_state").length === 1);
  const state = JSON.parse(before.of("keep_state")[0].payload);
  const same = await open({ html: FORM, welcome: { state } });
  await until(() => same.window.document.getElementById("name")?.value === "Ada");
  for (const stale of [{ ...state, path: "/other" }, { ...state, at: state.at - 61_000 }, { ...state, format: 2 }]) {
    const other = await open({ html: FORM, welcome: { state: stale } });
    await until(() => other.of("ready").length === 1);
    assert.equal(other.window.document.getElementById("name").value, "");
  }
});

test("the route comes back when the page was loaded from its start address", async () => {
  const windows = { boot: { allowed: ["http://app.localhost"] } };
  const before = await open({ ...windows, url: "http://app.localhost/notes/7?view=1#end" });
  await until(() => before.of("ready").length === 1);
  const state = await kept(before);
  const after = await open({ ...windows, url: "http://app.localhost/", welcome: { state } });
  await after.api.ready;
  assert.equal(after.window.location.href, "http://app.localhost/notes/7?view=1#end");
});

test("style sheets are exchanged in place, and an unknown one reloads the page", async () => {
  const shell = await open({ html: `<head><link rel="stylesheet" href="/a.css"><link rel="stylesheet" href="/b.css"></head><body></body>` });
  await until(() => shell.of("ready").length === 1);
  const told = [];
  shell.api.listen("staysail:page", (event) => told.push(event.kind));
  shell.tell({ t: "styles_changed", paths: ["/a.css"] });
  const links = () => [...shell.window.document.querySelectorAll("link")];
  const fresh = await until(() => links().find((link) => link.href.includes("a.css?staysail=")));
  assert.equal(links().length, 3, "the old one stays until the new one has come");
  fresh.dispatchEvent(new shell.window.Event("load"));
  assert.deepEqual(links().map((link) => link.getAttribute("href").split("?")[0].split("/").pop()), ["a.css", "b.css"]);
  assert.deepEqual(told, ["styles"]);
  shell.tell({ t: "styles_changed", paths: ["/c.css"] });
  await until(() => shell.reloads === 1);
});

test("images are exchanged in place wherever the page names them, and one it does not name reloads it", async () => {
  const style = ".logo { background-image: url(/logo.png) } @media screen { .deep { background-image: url('/logo.png') } }";
  const shell = await open({
    html: `<head><style>${style}</style></head><body><img src="/logo.png?size=2"><img src="/other.png"><img srcset="/other.png 1x, /logo.png 2x"></body>`,
  });
  await until(() => shell.of("ready").length === 1);
  const told = [];
  shell.api.listen("staysail:page", (event) => told.push(event.kind));
  const { document } = shell.window;
  const images = () => [...document.querySelectorAll("img")].map((image) => image.getAttribute("src") ?? image.getAttribute("srcset"));
  for (const _ of [1, 2]) {
    shell.tell({ t: "styles_changed", paths: ["/logo.png"] });
    const count = told.length;
    await until(() => told.length > count || told.length === 2);
  }
  const [first, other, list] = images();
  assert.match(first, /\/logo\.png\?size=2&staysail=i\d+$/, "the mark before is replaced, the query stays");
  assert.equal(other, "/other.png");
  assert.match(list, /^\/other\.png 1x, .*\/logo\.png\?staysail=i\d+ 2x$/);
  const rules = document.styleSheets[0].cssRules;
  for (const rule of [rules[0], rules[1].cssRules[0]]) assert.match(rule.style.backgroundImage, /logo\.png\?staysail=i/);
  assert.deepEqual(told, ["styles", "styles"]);
  assert.equal(shell.reloads, 0);
  shell.tell({ t: "styles_changed", paths: ["/painted-by-a-script.png"] });
  await until(() => shell.reloads === 1);
});

test("an overlay is shown, minimised by Escape, and taken away", async () => {
  const overlay = { kind: "build", title: "The backend does not compile", detail: "\u001b[1m\u001b[31merror\u001b[0m: <b>", advice: "The old code goes on serving.", retry: false };
  const shell = await open({
    welcome: { overlay },
    before: (window) => {
      const attach = window.Element.prototype.attachShadow;
      window.Element.prototype.attachShadow = function (init) {
        return (window.__shadow = attach.call(this, init));
      };
    },
  });
  await shell.api.ready;
  const shadow = await until(() => shell.window.__shadow);
  assert.equal(shadow.querySelector("h1").textContent, overlay.title);
  assert.equal(shadow.querySelector("pre").textContent, "error: <b>");
  assert.equal(shadow.querySelector("pre span").className, "bold c1");
  shell.window.dispatchEvent(new shell.window.KeyboardEvent("keydown", { key: "Escape", cancelable: true }));
  assert.ok(shadow.querySelector(".pill"));
  shell.tell({ t: "overlay", overlay: { ...overlay, kind: "crash_loop", retry: true } });
  await until(() => shadow.querySelector(".retry"));
  shadow.querySelector(".retry").click();
  await until(() => shell.of("retry_backend").length === 1);
  shell.tell({ t: "overlay", overlay: null });
  await until(() => !shell.window.document.querySelector("staysail-overlay"));
});
