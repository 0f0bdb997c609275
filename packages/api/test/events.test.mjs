import assert from "node:assert/strict";
import test from "node:test";
import { open, until } from "./shell.mjs";

const event = (name, payload) => ({ t: "event", name, payload });

test("events reach their listeners until they stop listening", async () => {
  const shell = await open();
  const got = [];
  const stop = shell.api.listen("tick", (n) => got.push(n));
  shell.api.once("tick", (n) => got.push(`once ${n}`));
  shell.tell(event("tick", 1), event("tock", 2), event("tick", 3));
  await until(() => got.length === 3);
  stop();
  stop();
  shell.tell(event("tick", 4));
  await until(() => shell.waiting && shell.backlog.length === 0);
  assert.deepEqual(got, [1, "once 1", 3]);
});

test("a listener that throws does not keep the others from hearing", async () => {
  const shell = await open();
  const got = [];
  shell.api.listen("tick", () => {
    throw new Error("mine");
  });
  shell.api.listen("tick", (n) => got.push(n));
  shell.tell(event("tick", 1));
  await until(() => got.length === 1);
  assert.equal(shell.thrown[0].message, "mine");
});

test("one request for events waits at any time, also after the shell failed to answer one", async () => {
  let failures = 2;
  const shell = await open({ answer: (request) => (request.t === "next" && failures-- > 0 ? '-{"code":"Internal","message":"x"}' : undefined) });
  const got = [];
  shell.api.listen("tick", (n) => got.push(n));
  shell.tell(event("tick", 1));
  await until(() => got.length === 1);
  assert.equal(shell.of("next").length, 4);
});

test("emit, update wishes and retry travel as the protocol names them", async () => {
  const shell = await open();
  await shell.api.emit("typed", { n: 1 });
  await shell.api.update.check();
  await shell.api.update.defer(1.2);
  const [emit] = shell.of("emit");
  assert.deepEqual([emit.e, emit.payload], ["typed", '{"n":1}']);
  assert.deepEqual(shell.of("update").map((update) => update.payload), ['"check"', '{"defer":{"seconds":2}}']);
});

test("the policy's questions are answered by every page, with what its conditions come to", async () => {
  const shell = await open();
  const { update } = shell.api;
  update.condition("editing", () => true);
  update.condition("place", () => "old");
  const end = update.condition("place", () => "Kiel");
  update.condition("open", () => 3);
  update.condition("endless", () => Infinity);
  update.condition("nothing", () => null);
  update.condition("broken", () => {
    throw new shell.window.Error("on purpose");
  });
  const ask = async (id, names) => {
    shell.tell(event("staysail:conditions", { id, names }));
    const answers = () => shell.of("update").map((request) => JSON.parse(request.payload).conditions);
    await until(() => answers().some((answer) => answer.id === id));
    return answers().find((answer) => answer.id === id).values;
  };
  const all = ["editing", "place", "open", "endless", "nothing", "broken", "unheard_of", "toString"];
  assert.deepEqual(await ask(7, all), { editing: true, place: "Kiel", open: 3 });
  end();
  assert.deepEqual(await ask(8, ["place"]), {});
  await update.skip("2.0.0");
  assert.equal(shell.of("update").at(-1).payload, '{"skip":{"version":"2.0.0"}}');
});

test("update and backend events reach their own listeners", async () => {
  const shell = await open();
  const got = [];
  shell.api.update.onEvent(({ kind }) => got.push(kind));
  shell.api.onBackend(({ kind }) => got.push(kind));
  shell.tell(event("staysail:update", { kind: "staged", version: "2.0.0" }), event("staysail:worker", { kind: "swapped", milliseconds: 3 }));
  await until(() => got.length === 2);
  assert.deepEqual(got, ["staged", "swapped"]);
});

test("the page says that it is ready once, after it has loaded", async () => {
  const shell = await open();
  await until(() => shell.of("ready").length === 1);
  assert.equal(shell.of("report").length, 0);
});

test("an error before the page has come up is reported as such, and the page never counts as ready", async () => {
  const shell = await open({
    page: (window) => window.dispatchEvent(new window.ErrorEvent("error", { message: "boom", filename: "app://localhost/main.js", lineno: 3, colno: 4 })),
  });
  await until(() => shell.of("report").length === 1);
  const report = JSON.parse(shell.of("report")[0].payload);
  assert.deepEqual([report.kind, report.message, report.place], ["boot", "boom", "app://localhost/main.js:3:4"]);
  await new Promise((go) => setTimeout(go, 500));
  assert.equal(shell.of("ready").length, 0);
});

test("console errors and warnings are reported, a bounded number of them", async () => {
  const shell = await open();
  await shell.api.ready;
  for (let i = 0; i < 300; i++) shell.window.console.warn("careful", { i });
  await until(() => shell.of("report").length === 100);
  assert.equal(JSON.parse(shell.of("report")[0].payload).message, 'careful {"i":0}');
  await until(() => shell.of("ready").length === 1);
  assert.equal(shell.of("report").length, 100);
});

test("a console message and a promise nobody waits for are reported with the place in the page they come from", async () => {
  const shell = await open();
  await shell.api.ready;
  const { window } = shell;
  window.console.error("it is wrong");
  const rejected = (stack) => {
    const event = new window.Event("unhandledrejection");
    window.dispatchEvent(Object.assign(event, { reason: { stack } }));
  };
  // As WebKit and as Chromium write it; what Staysail puts before the page is no place in it.
  rejected("user-script:1:2:3\nsave@app://localhost/main.js:3:7\n@app://localhost/main.js:9:1");
  rejected("Error: no\n    at invoke (http://localhost:5173/__staysail/tab.js:1:2)\n    at save (http://localhost:5173/src/main.ts?t=1:4:5)");
  rejected(undefined);
  await until(() => shell.of("report").length === 4);
  const [said, ...rejections] = shell.of("report").map(({ payload }) => JSON.parse(payload).place);
  assert.match(said, /^file:.*\.mjs:\d+:\d+$/);
  assert.deepEqual(rejections, ["app://localhost/main.js:3:7", "http://localhost:5173/src/main.ts?t=1:4:5", ""]);
});
