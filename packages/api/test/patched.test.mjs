// A script of the page that turns the language against the runtime: it may break its own page, but it forges no call.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { open, until } from "./shell.mjs";

const REPLACE_ALL = readFileSync(new URL("./replace_all.js", import.meta.url), "utf8");
const rejected = (promise) => promise.then(() => assert.fail("it was answered"), (error) => error);

/** A page whose own scripts run `patch` once the shell has answered. Calls are made by script of the page, too. */
async function patched(patch, options = {}) {
  const shell = await open({ commands: { say: (args) => args }, ...options });
  await until(() => shell.waiting);
  shell.window.eval(patch);
  shell.run = (script) => shell.window.eval(script);
  return shell;
}

const sent = async (shell, args) => {
  const before = shell.of("call").length;
  await shell.run(`__STAYSAIL__.call("say", ${args})`);
  return shell.of("call")[before].payload;
};

for (const where of ["Object", "Array", "String", "Number", "Boolean"]) {
  test(`a toJSON on ${where}.prototype changes no call, no event and no request`, async () => {
    const shell = await patched(`${where}.prototype.toJSON = function () { return "forged"; }`);
    const args = `{ a: [1, "x", null, undefined, NaN, new String("s"), new Number(2), new Boolean(false)], b: { c: undefined, d() {}, "e\\n": true }, f: -0.5 }`;
    assert.equal(await sent(shell, args), '{"a":[1,"x",null,null,null,"s",2,false],"b":{"e\\n":true},"f":-0.5}');
    await shell.run(`__STAYSAIL__.emit("typed", { n: [1] })`);
    assert.equal(shell.of("emit")[0].payload, '{"n":[1]}');
    await shell.run(`__STAYSAIL__.desktop("dialog.open", { multiple: true })`);
    assert.equal(shell.of("desktop")[0].payload, '{"multiple":true}');
  });
}

test("a toJSON hidden in a getter, a prototype between or a proxy changes no call either", async () => {
  for (const patch of [
    `Object.defineProperty(Object.prototype, "toJSON", { get() { return () => "forged"; }, configurable: true })`,
    `Object.setPrototypeOf(Array.prototype, { toJSON: () => "forged" })`,
    `Object.setPrototypeOf(Array.prototype, new Proxy({}, { has: () => false, get: (_, name) => name === "toJSON" ? () => "forged" : undefined, getPrototypeOf: () => Object.prototype }))`,
    `Object.prototype.toJSON = "no function"`,
  ]) {
    assert.equal(await sent(await patched(patch), `{ list: [1, [2]] }`), '{"list":[1,[2]]}', patch);
  }
});

test("a toJSON of a class, of a value and of BigInt count as ever, with and without a polluted prototype", async () => {
  for (const patch of ["0", `Object.prototype.toJSON = () => "forged"`]) {
    const shell = await patched(`${patch}; BigInt.prototype.toJSON = function () { return this.toString(); }; class Point { #x = 7; toJSON(key) { return { key, x: this.#x }; } }; globalThis.Point = Point`);
    assert.equal(await sent(shell, `{ n: 12n, p: new Point(), own: { toJSON: () => 1 } }`), '{"n":"12","p":{"key":"p","x":7},"own":1}');
    assert.equal(await sent(shell, `{ at: new Date(0) }`), '{"at":"1970-01-01T00:00:00.000Z"}');
  }
});

test("what JSON can not hold is refused by name, with and without a polluted prototype", async () => {
  for (const patch of ["0", `Array.prototype.toJSON = () => "forged"`]) {
    const shell = await patched(patch);
    for (const args of ["(() => { const circle = {}; circle.inner = [circle]; return circle; })()", "{ n: 1n }"]) {
      const error = await rejected(shell.run(`__STAYSAIL__.call("say", ${args})`));
      assert.equal(error.code, "InvalidArguments", args);
    }
    assert.equal(shell.of("call").length, 0);
  }
});

test("options on Object.prototype are no options of a call", async () => {
  const shell = await patched(`Object.prototype.timeout = 1; Object.prototype.signal = AbortSignal.abort()`);
  assert.equal((await shell.run(`__STAYSAIL__.call("say", { n: 1 }, {})`)).n, 1);
});

test("listeners are kept where no function of the page sees or replaces them", async () => {
  const shell = await open();
  const got = [];
  const stop = shell.api.listen("tick", (n) => got.push(n));
  shell.window.eval(`
    Map.prototype.get = () => new Set([() => { throw new Error("replaced"); }]);
    Array.from = () => [];
    Set.prototype.forEach = Set.prototype.values = () => [];
    Object.defineProperty(Object.prototype, "tick", { get: () => ({ 0() { throw new Error("replaced"); } }), configurable: true });
  `);
  shell.tell({ t: "event", name: "tick", payload: 1 }, { t: "event", name: "__proto__", payload: 2 });
  await until(() => got.length === 1);
  stop();
  shell.tell({ t: "event", name: "tick", payload: 3 }, { t: "event", name: "tock", payload: 4 });
  shell.api.listen("tock", (n) => got.push(n));
  await until(() => got.length === 2);
  assert.deepEqual(got, [1, 4]);
  assert.deepEqual(shell.thrown, []);
});

for (const native of [true, false]) {
  test(`whatever a page replaces, nothing of it sees the key or changes what is sent (${native ? "messages" : "POST"})`, async () => {
    const shell = await open({
      native,
      commands: { say: (args) => args, pour: (bytes) => bytes, wait: () => new Promise(() => {}), stream: () => null },
    });
    await until(() => shell.waiting);
    shell.window.eval(REPLACE_ALL);
    assert.ok(shell.window.spied.replaced > 500, `${shell.window.spied.replaced} replaced`);
    const call = (script) => shell.window.eval(script);
    const got = await call(`__STAYSAIL__.call("say", { text: "ahoy", list: [1, 2] }, { timeout: 9000 })`);
    assert.deepEqual([got.text, got.list[1]], ["ahoy", 2]);
    const bytes = await call(`__STAYSAIL__.call("pour", new Uint8Array([1, 2, 3]).buffer)`);
    assert.deepEqual([...new Uint8Array(bytes)], [1, 2, 3]);
    await call(`__STAYSAIL__.emit("typed", { n: 1 })`);
    assert.equal((await rejected(call(`(() => { const all = new AbortController(); const waiting = __STAYSAIL__.call("wait", { n: 2 }, { signal: all.signal }); all.abort(); return waiting; })()`))).code, "Cancelled");
    const stream = call(`(() => { const handle = __STAYSAIL__.stream(() => {}, () => {}); __STAYSAIL__.call("stream", { out: { toJSON: () => ({ $channel: handle.handOver() }) } }); return handle; })()`);
    await stream.send({ n: 3 });
    await until(() => shell.of("push").length === 1 && shell.of("cancel").length === 1);
    const calls = shell.of("call").map(({ c, payload, ch }) => [c, c === "pour" ? "" : payload, ch]);
    assert.deepEqual(calls, [
      ["say", '{"text":"ahoy","list":[1,2]}', undefined],
      ["pour", "", undefined],
      ["wait", '{"n":2}', undefined],
      ["stream", '{"out":{"$channel":1}}', "1"],
    ]);
    assert.equal(shell.of("emit")[0].payload, '{"n":1}');
    assert.equal(shell.of("push")[0].payload, '{"n":3}');
    assert.equal(shell.window.spied.text, "");
    assert.equal(shell.window.spied.forged, 0);
  });
}

test("a call that waits for hello is cancelled without showing it to functions of the page", async () => {
  let welcome;
  const answered = new Promise((go) => (welcome = go));
  const shell = await open({ answer: (request) => (request.t === "hello" ? answered : undefined) });
  shell.window.eval(REPLACE_ALL);
  const waiting = rejected(shell.window.eval(`(() => { const all = new AbortController(); globalThis.all = all; return __STAYSAIL__.call("say", {}, { signal: all.signal }); })()`));
  shell.window.eval(`all.abort()`);
  assert.equal((await waiting).code, "Cancelled");
  assert.equal(shell.window.spied.forged, 0);
  welcome("-" + JSON.stringify({ code: "Denied", message: "no" }));
});
