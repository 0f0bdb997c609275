import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { pathOf } from "../scripts/build.mjs";
import { open, until } from "./shell.mjs";

const MODULE = readFileSync(pathOf("dist/update-notice.js"), "utf8");

/** A page with the element in it; `html` is the whole body. */
async function page(html = "<staysail-update></staysail-update>", options = {}) {
  const shell = await open({ html: `<html lang="en"><body>${html}</body></html>`, ...options });
  const { window } = shell;
  window.library = shell.api;
  const text = MODULE.replace(/import \{([^}]*)\} from ".\/index.js";/, "const {$1} = library;").replace(/export \{([^}]*)\};?/, "return {$1};");
  shell.notice = window.eval(`(() => {${text}})()`);
  shell.element = window.document.querySelector("staysail-update");
  shell.part = (selector) => shell.element.shadowRoot.querySelector(selector);
  shell.buttons = () => [...shell.element.shadowRoot.querySelectorAll(".buttons button")].map((button) => button.textContent);
  /** Tells events, and waits until the last one was heard. */
  shell.hear = async (...events) => {
    let heard = 0;
    const end = shell.api.listen("staysail:update", () => (heard += 1));
    shell.tell(...events.map((payload) => ({ t: "event", name: "staysail:update", payload })));
    await until(() => heard === events.length);
    end();
  };
  await until(() => shell.waiting);
  return shell;
}

const available = { kind: "available", version: "1.1.0", notes: "Faster <b>charts</b>.\n", bytes: 2_000_000 };
const staged = { kind: "staged", version: "1.1.0" };

test("nothing is shown before there is something to decide", async () => {
  const shell = await page();
  assert.equal(shell.element.hidden, true);
  await shell.hear(available, { kind: "progress", version: "1.1.0", bytes: 1, total: 9, left_s: null });
  assert.equal(shell.element.hidden, true, "downloads are quiet");
  await shell.hear(staged);
  assert.equal(shell.element.hidden, false);
  assert.equal(shell.part(".headline").textContent, "Version 1.1.0 is ready.");
  assert.deepEqual(shell.buttons(), ["Update now", "Later", "Skip this version", "What’s new"]);
});

test("its buttons are the wishes of the user, and close it", async () => {
  for (const [does, wish, closes] of [
    ["now", '"apply"', false],
    ["later", '{"defer":{"seconds":60}}', true],
    ["skip", '{"skip":{"version":"1.1.0"}}', true],
  ]) {
    const shell = await page('<staysail-update later="60"></staysail-update>');
    await shell.hear(available, staged);
    shell.part(`.${does}`).click();
    await until(() => shell.of("update").length === 1);
    assert.equal(shell.of("update")[0].payload, wish);
    assert.equal(shell.element.hidden, closes);
  }
});

test("a wish that is refused is said where it was wished", async () => {
  const answer = (request) => (request.t === "update" ? '-{"code":"Denied","message":"not now"}' : undefined);
  const shell = await page(undefined, { answer });
  await shell.hear(available, staged);
  shell.part(".later").click();
  await until(() => !shell.element.hidden);
  assert.equal(shell.part(".amount").textContent, "not now");
});

test("what is new is text, is opened and closed, and may be drawn by the page", async () => {
  const shell = await page();
  await shell.hear(available, staged, { kind: "applied", version: "1.1.0", milliseconds: 9 });
  assert.equal(shell.part(".headline").textContent, "This is version 1.1.0 now.");
  assert.deepEqual(shell.buttons(), ["What’s new"]);
  const news = shell.part(".news");
  assert.equal(news.getAttribute("aria-expanded"), "false");
  news.click();
  assert.equal(news.getAttribute("aria-expanded"), "true");
  assert.equal(shell.part(".notes").textContent, "Faster <b>charts</b>.");
  assert.equal(shell.part(".notes b"), null, "notes are no markup");
  shell.element.renderNotes = (notes) => Object.assign(shell.window.document.createElement("b"), { textContent: notes.length });
  news.click();
  assert.equal(shell.part(".notes").hidden, true);
  news.click();
  assert.equal(shell.part(".notes b").textContent, String(available.notes.length));
});

test("a download is shown where the page wants it, with amount and time", async () => {
  const shell = await page("<staysail-update show-download></staysail-update>");
  await shell.hear(available, { kind: "progress", version: "1.1.0", bytes: 500_000, total: 2_000_000, left_s: null });
  assert.equal(shell.part(".amount").textContent, "500 kB of 2 MB");
  await shell.hear({ kind: "progress", version: "1.1.0", bytes: 1_000_000, total: 2_000_000, left_s: 30 });
  assert.equal(shell.part(".amount").textContent, "1 MB of 2 MB, 30 seconds left");
  assert.deepEqual([shell.part("progress").value, shell.part("progress").max], [1_000_000, 2_000_000]);
  assert.equal(shell.part("progress").getAttribute("aria-label"), "Version 1.1.0 is being downloaded.");
});

test("closed with button or Escape it stays closed for that step only", async () => {
  const shell = await page();
  await shell.hear(available, staged);
  shell.part(".close").click();
  assert.equal(shell.element.hidden, true);
  await shell.hear({ kind: "rolled_back", version: "1.1.0", to: "1.0.0", reason: "the page did not come up" });
  assert.equal(shell.element.hidden, false);
  assert.equal(shell.part(".amount").hidden, true, "reasons are for those who made the app");
  shell.part(".close").dispatchEvent(new shell.window.KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
  assert.equal(shell.element.hidden, true);
});

test("failures are the log's unless the page wants them, and a skipped version is gone", async () => {
  const shell = await page();
  await shell.hear({ kind: "failed", reason: "no network" });
  assert.equal(shell.element.hidden, true);
  shell.element.setAttribute("show-failures", "");
  assert.equal(shell.element.hidden, false);
  assert.equal(shell.part(".amount").textContent, "no network");
  await shell.hear(available, staged, { kind: "skipped", version: "1.1.0" });
  assert.equal(shell.element.hidden, true);
});

test("it speaks the language of its place, and those of the page's own", async () => {
  const shell = await page('<div lang="de-AT"><staysail-update></staysail-update></div>');
  await shell.hear(available, staged);
  assert.equal(shell.part(".headline").textContent, "Version 1.1.0 ist bereit.");
  assert.deepEqual(shell.buttons().slice(0, 2), ["Jetzt aktualisieren", "Später"]);
  shell.notice.updateWords.nl = { now: "Nu bijwerken" };
  shell.element.lang = "nl";
  assert.deepEqual(shell.buttons().slice(0, 2), ["Nu bijwerken", "Later"], "what is missing is English");
});

test("every language says everything, with the places of the English one", async () => {
  const { notice } = await page();
  const places = (words) => Object.entries(words).map(([key, text]) => `${key} ${[...text.matchAll(/\{\w+\}/g)].sort().join()}`).sort();
  for (const [language, words] of Object.entries(notice.updateWords)) assert.deepEqual(places(words), places(notice.updateWords.en), language);
});

test("the headline is a live region that is left alone while it says the same, and buttons keep the focus", async () => {
  const shell = await page();
  assert.equal(shell.part(".headline").getAttribute("role"), "status");
  await shell.hear(available, staged);
  const [text, button] = [shell.part(".headline").firstChild, shell.part(".later")];
  button.focus();
  await shell.hear({ kind: "waiting", version: "1.1.0", reason: "on battery" });
  assert.equal(shell.part(".headline").firstChild, text);
  assert.equal(shell.element.shadowRoot.activeElement, button);
  assert.equal(shell.part(".amount").hidden, true, "what it waits for is no user's business");
});

test("the page after a reload goes on where the one before was", async () => {
  const before = await page();
  await before.hear(available, staged, { kind: "applied", version: "1.1.0", milliseconds: 9 });
  await until(() => before.of("ready").length === 1);
  before.tell({ t: "reload" });
  await until(() => before.reloads === 1);
  const after = await page(undefined, { welcome: { state: JSON.parse(before.of("keep_state")[0].payload) } });
  await until(() => !after.element.hidden);
  assert.equal(after.part(".headline").textContent, "This is version 1.1.0 now.");
  assert.deepEqual(after.buttons(), ["What’s new"]);
});

test("who draws it alone hears states and can stop", async () => {
  const shell = await page("<p></p>");
  const phases = [];
  const end = shell.notice.watchUpdate(({ phase }) => phases.push(phase));
  await shell.hear(available, staged, { kind: "progress", version: "1.2.0", bytes: 1, total: 2, left_s: null });
  end();
  await shell.hear({ kind: "staged", version: "1.2.0" });
  assert.deepEqual(phases, ["idle", "available", "ready", "downloading"]);
});

test("a page that comes up while a release waits shows it without having heard of it", async () => {
  const following = { kind: "following", channel: "beta", pinned: null };
  const shell = await page(undefined, { welcome: { update: [following, available, staged] } });
  await until(() => !shell.element.hidden);
  assert.equal(shell.part(".headline").textContent, "Version 1.1.0 is ready.");
  assert.ok(shell.buttons().includes("What’s new"));
  assert.deepEqual(JSON.parse(JSON.stringify(shell.api.update.story())), [following, available, staged]);
  // What is told afterwards goes on from there; what is held is not the user's to decide.
  await shell.hear({ kind: "held", version: "2.0.0", reason: "pinned" }, following);
  assert.equal(shell.part(".headline").textContent, "Version 1.1.0 is ready.");
  await shell.hear({ kind: "skipped", version: "1.1.0" });
  assert.equal(shell.element.hidden, true);
});

test("a page that a release brought is told of it, though the load before it knew only that it waits", async () => {
  const before = await page();
  await before.hear(available, staged);
  await until(() => before.of("ready").length === 1);
  before.tell({ t: "reload" });
  await until(() => before.reloads === 1);
  const applied = { kind: "applied", version: "1.1.0", milliseconds: 9 };
  const state = JSON.parse(before.of("keep_state")[0].payload);
  for (const readyState of ["interactive", "complete"]) {
    const come_up = ({ document }) => Object.defineProperty(document, "readyState", { value: readyState });
    const after = await page(undefined, { before: come_up, welcome: { state, update: [available, staged, applied] } });
    const heard = [];
    const end = after.api.update.onEvent((event) => heard.push(event.kind));
    await until(() => !after.element.hidden);
    // Who asks when the page has long been there would get old news.
    const early = readyState === "interactive";
    assert.equal(after.part(".headline").textContent, early ? "This is version 1.1.0 now." : "Version 1.1.0 is ready.");
    await after.hear({ kind: "waiting", version: "1.1.0", reason: "" });
    end();
    await after.hear(available);
    assert.deepEqual(heard, early ? ["applied", "waiting"] : ["waiting"]);
  }
});

test("channels and versions to stay at are wishes", async () => {
  const { api, of } = await page("<p></p>");
  await Promise.all([api.update.follow("beta"), api.update.follow(null), api.update.pin("1.4.x"), api.update.pin(null)]);
  const wishes = ['{"follow":{"channel":"beta"}}', '{"follow":{"channel":null}}', '{"pin":{"version":"1.4.x"}}', '{"pin":{"version":null}}'];
  assert.deepEqual(of("update").map((wish) => wish.payload), wishes);
});
