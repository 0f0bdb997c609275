import assert from "node:assert/strict";
import test from "node:test";
import { WELCOME, open, until } from "./shell.mjs";

const rejected = (promise) => promise.then(() => assert.fail("it was answered"), (error) => error);

test("a call goes to the shell once, with the key of this page load, and comes back", async () => {
  const shell = await open({ commands: { greet: ({ name }) => `Hello ${name}` } });
  assert.equal(await shell.api.invoke("greet", { name: "Ada" }), "Hello Ada");
  const [call] = shell.of("call");
  assert.deepEqual([call.k, call.i, call.c], [WELCOME.key, 1, "greet"]);
  assert.equal(shell.of("hello")[0].k, "the-secret");
  assert.equal(shell.of("call").length, 1);
});

test("calls made before the shell has answered hello wait for it, in order", async () => {
  let welcome;
  const answered = new Promise((go) => (welcome = go));
  const shell = await open({
    commands: { echo: (args) => args },
    answer: (request) => (request.t === "hello" ? answered : undefined),
  });
  const all = Promise.all([1, 2, 3].map((n) => shell.api.invoke("echo", { n })));
  assert.equal(shell.of("call").length, 0);
  welcome("+" + JSON.stringify(WELCOME));
  assert.equal(JSON.stringify(await all), '[{"n":1},{"n":2},{"n":3}]');
  assert.deepEqual(shell.of("call").map((call) => call.i), [1, 2, 3]);
});

test("a failed call is a CallError with code and details", async () => {
  const shell = await open({
    commands: {
      fail: () => {
        throw { code: "App", message: "no such note", details: { id: 7 } };
      },
    },
  });
  const error = await rejected(shell.api.invoke("fail"));
  assert.ok(error instanceof shell.api.CallError);
  assert.equal(error.code, "App");
  assert.equal(error.details.id, 7);
  assert.equal((await rejected(shell.api.invoke("nothing"))).code, "UnknownCommand");
});

test("bytes go and come as they are, never as JSON", async () => {
  const shell = await open({ commands: { flip: (bytes) => Uint8Array.from(bytes, (byte) => byte ^ 0xff) } });
  const answer = await shell.api.invoke("flip", new Uint8Array([0, 10, 255, 123]));
  assert.ok(answer instanceof ArrayBuffer);
  assert.deepEqual([...new Uint8Array(answer)], [255, 245, 0, 132]);
  assert.equal(shell.of("call")[0].raw, true);
  const part = new Uint8Array([9, 1, 2, 9]).subarray(1, 3);
  assert.deepEqual([...new Uint8Array(await shell.api.invoke("flip", part))], [254, 253]);
});

test("long texts go by POST, and long answers are pulled", async () => {
  const shell = await open({ commands: { echo: (args) => args } });
  const text = "ü".repeat(9_000);
  const answer = await shell.api.invoke("echo", { text });
  assert.equal(answer.text, text);
  assert.equal(shell.posts, 1);
  await shell.api.invoke("echo", { text: "short" });
  assert.equal(shell.posts, 1);
});

test("a long answer is put together from its pieces, whatever its length", async () => {
  const shell = await open({ piece: 7, commands: { bytes: ({ size }) => Uint8Array.from({ length: size }, (_, at) => at), echo: (args) => args } });
  for (const size of [0, 1, 7, 8, 14, 100]) {
    const answer = await shell.api.invoke("bytes", { size });
    assert.ok(answer instanceof ArrayBuffer);
    assert.deepEqual([...new Uint8Array(answer)], Array.from({ length: size }, (_, at) => at));
  }
  const text = "ü☃".repeat(3_000);
  assert.equal((await shell.api.invoke("echo", { text })).text, text);
  assert.equal(shell.bodies.size, 0, "nothing is left to fetch");
});

test("an answer of which a piece is lost is an error and no shorter answer", async () => {
  const shell = await open({ piece: 7, loses: true, commands: { bytes: () => new Uint8Array(100) } });
  assert.match((await rejected(shell.api.invoke("bytes"))).message, /could not be fetched from the shell: HTTP status 410/);
});

test("without script messages everything goes by POST", async () => {
  const shell = await open({ native: false, commands: { echo: (args) => args } });
  assert.equal((await shell.api.invoke("echo", { n: 1 })).n, 1);
  assert.ok(shell.posts >= 2);
});

test("an aborted call is rejected at once and the shell is told", async () => {
  const shell = await open({ commands: { wait: () => new Promise(() => {}) } });
  const { AbortController } = shell.window;
  const controller = new AbortController();
  const call = rejected(shell.api.invoke("wait", {}, { signal: controller.signal }));
  await until(() => shell.of("call").length === 1);
  controller.abort();
  assert.equal((await call).code, "Cancelled");
  await until(() => shell.of("cancel").length === 1);
  assert.equal(shell.of("cancel")[0].i, shell.of("call")[0].i);
  assert.equal((await rejected(shell.api.invoke("wait", {}, { signal: controller.signal }))).code, "Cancelled");
  assert.equal(shell.of("call").length, 1, "a call with a signal that was aborted before is not sent");
});

test("a call that takes longer than its timeout is given up", async () => {
  const shell = await open({ commands: { wait: () => new Promise(() => {}) } });
  await shell.api.ready;
  const error = await rejected(shell.api.invoke("wait", {}, { timeout: 5 }));
  assert.equal(error.code, "Timeout");
  await until(() => shell.of("cancel").length === 1);
});

test("a call cancelled before hello is never sent", async () => {
  let welcome;
  const answered = new Promise((go) => (welcome = go));
  const shell = await open({ commands: { a: () => 1, b: () => 2 }, answer: (request) => (request.t === "hello" ? answered : undefined) });
  const controller = new shell.window.AbortController();
  const call = rejected(shell.api.invoke("a", {}, { signal: controller.signal }));
  controller.abort();
  assert.equal((await call).code, "Cancelled");
  welcome("+" + JSON.stringify(WELCOME));
  assert.equal(await shell.api.invoke("b"), 2);
  assert.deepEqual(shell.of("call").map((call) => call.c), ["b"]);
});

test("arguments that are no JSON are refused without troubling the shell", async () => {
  const shell = await open();
  assert.equal((await rejected(shell.api.invoke("x", { n: 1n }))).code, "InvalidArguments");
  assert.equal(shell.of("call").length, 0);
});

test("a page of another origin gets nothing", async () => {
  const other = await open({ url: "https://evil.example/", boot: { allowed: ["app://localhost", "https://evil"] } });
  assert.equal(other.window.__STAYSAIL__, undefined);
  assert.equal(other.requests.length, 0);
});

test("patched natives and prototypes never see secret or key", async () => {
  const seen = [];
  const shell = await open({
    commands: { echo: (args) => args },
    page: (window) =>
      (window.__seen = (value) => seen.push(String(value))) &&
      window.eval(`{
        const spy = (value) => { try { __seen(typeof value === "object" ? JSON_stringify(value) : value); } catch {} };
        const JSON_stringify = JSON.stringify;
        Object.prototype.toJSON = function () { spy(this.k); return this; };
        const { stringify, parse } = JSON;
        JSON.stringify = (value) => { spy(value); return stringify(value); };
        JSON.parse = (text) => { spy(text); return parse(text); };
        const then = Promise.prototype.then;
        Promise.prototype.then = function (done, failed) { return then.call(this, (value) => { spy(value); return done?.(value); }, failed); };
        window.fetch = (...parts) => { spy(parts); };
        window.webkit.messageHandlers.staysail.postMessage = (text) => { spy(text); };
        String.prototype.slice = function (...parts) { spy(this); return ""; };
        Map.prototype.get = function () { return undefined; };
        Object.defineProperty(Object.prototype, "code", { get() { return "Hacked"; }, configurable: true });
      }`),
  });
  await until(() => shell.waiting);
  shell.window.eval(`__STAYSAIL__.call("echo", { n: 1 })`);
  await until(() => shell.of("call").length === 1);
  assert.ok(!seen.some((text) => text.includes("the-secret") || text.includes("the-key")), seen.join("\n"));
});

test("functions of the page put in place of String, push and index setters see no key, no command and no answer", async () => {
  const shell = await open({ commands: { pay: ({ sum }) => sum } });
  shell.window.eval(`
    seen = [];
    const text = String;
    String = (value) => { seen.push(text(value)); return "evil"; };
    const push = Array.prototype.push;
    Array.prototype.push = function (...values) { if (values[0]?.done) { seen.push; values[0].payload = '{"sum":999}'; } return push.apply(this, values); };
    Object.defineProperty(Array.prototype, "1", { set(value) { if (value?.done) value.done = (answer) => push.call(seen, text(answer)); }, configurable: true });
  `);
  const answer = await shell.window.eval(`__STAYSAIL__.call("pay", { sum: 1 })`);
  assert.equal(answer, 1);
  const [call] = shell.of("call");
  assert.equal(call.c, "pay");
  assert.equal(call.payload, '{"sum":1}');
  assert.deepEqual([...shell.window.eval("seen")], []);
});

test("the runtime can not be replaced or changed", async () => {
  const { window } = await open();
  assert.throws(() => window.eval(`"use strict"; window.__STAYSAIL__ = {}`));
  assert.throws(() => window.eval(`"use strict"; window.__STAYSAIL__.call = 1`));
});

test("hello is said again while the shell can not be reached, and refused calls say why", async () => {
  let tries = 0;
  const shell = await open({
    commands: { a: () => 1 },
    answer: (request) => {
      if (request.t === "hello" && ++tries < 3) throw new Error("not yet");
    },
  });
  assert.equal(await shell.api.invoke("a"), 1);
  assert.equal(tries, 3);
  const refused = await open({ answer: () => '-{"code":"Denied","message":"the secret is not this window\'s"}' });
  assert.equal((await rejected(refused.api.invoke("a"))).code, "Denied");
});

test("mode, constants, version and window are those of the shell", async () => {
  const { api } = await open();
  await api.ready;
  assert.equal(api.constants.api, "http://x");
  assert.equal(api.currentWindow.label, "main");
  const { mode, version, window } = await api.app();
  assert.deepEqual([mode, version, window], ["debug", "1.2.3", "main"]);
});

test("a long text goes through the port in pieces that cut no character", async () => {
  const sent = [];
  const page = await open({
    boot: { window: "main" },
    before: (window) => {
      window.__staysail_port = (_label, callback) => (ticket, first, ...payload) => {
        const head = JSON.parse(first);
        if (head.t === "call") sent.push(payload);
        const answers = { hello: "+" + JSON.stringify(WELCOME), call: "+null" };
        if (head.t in answers) queueMicrotask(() => callback(ticket, answers[head.t]));
        return true;
      };
    },
  });
  for (const before of [0, 1, 2, 3]) {
    const text = "x".repeat(before) + "😀".repeat(40_000);
    await page.api.invoke("say", { text });
    const pieces = sent.pop();
    assert.ok(pieces.length > 1);
    assert.ok(pieces.every((piece) => piece.isWellFormed()));
    assert.equal(pieces.join(""), JSON.stringify({ text }));
  }
  await page.api.invoke("say", { text: "short" });
  assert.deepEqual(sent.pop(), ['{"text":"short"}']);
});

test("a port carries everything, text and bytes; when it ends its calls fail and later ones go by script message", async () => {
  const sent = [];
  let receive;
  const page = await open({
    boot: { window: "main" },
    commands: { later: () => "by message" },
    before: (window) => {
      window.__staysail_port = (label, callback) => {
        receive = callback;
        sent.push(label);
        return (ticket, first, payload) => {
          const head = JSON.parse(first);
          if (head.t === "call") sent.push([ticket, head.c, payload]);
          if (head.t === "hello") queueMicrotask(() => callback(ticket, "+" + JSON.stringify(WELCOME)));
          else if (head.c === "echo") queueMicrotask(() => callback(ticket, payload.buffer));
          else if (head.c === "add") queueMicrotask(() => callback(ticket, "+3"));
          return true;
        };
      };
    },
  });
  assert.equal("__staysail_port" in page.window, false, "nothing of it is left for the page");
  assert.equal(await page.api.invoke("add"), 3);
  assert.equal(new Uint8Array(await page.api.invoke("echo", new Uint8Array([7, 8])))[1], 8);
  assert.equal(sent[0], "main");
  assert.equal(sent[1][0], sent[2][0], "a ticket is used again after its answer");
  assert.equal(page.requests.length + page.posts, 0, "nothing went another way");
  const open_call = page.api.invoke("never");
  receive(0, "");
  await assert.rejects(open_call, { code: "Internal" });
  assert.equal(await page.api.invoke("later"), "by message");
});
