// Asset groups: what travels to the shell, progress, the typed error, and cancelling.
import assert from "node:assert/strict";
import test from "node:test";
import { open } from "./shell.mjs";

const READY = { group: "maps", state: "ready", files: 2, bytes: 90, missing_bytes: 0 };
const rejected = (promise) => promise.then(() => assert.fail("it was answered"), (error) => error);
const progress = (group, bytes) => ({ t: "event", name: "staysail:assets", payload: { group, bytes, total: 50 } });

test("a group is fetched with progress of its own, and asked about", async () => {
  let finish;
  const shell = await open({
    answer: (request) => {
      if (request.f === "assets.fetch") return new Promise((answer) => (finish = () => answer("+" + JSON.stringify(READY))));
      if (request.f === "assets.state") return "+" + JSON.stringify({ ...READY, state: "partial", missing_bytes: 7 });
      if (request.f === "assets.list") return "+" + JSON.stringify([READY]);
      return undefined;
    },
  });
  const { assets } = shell.api;
  const seen = [];
  const heard = new Promise((resolve) => {
    assets.onEvent(({ group, bytes }) => group === "maps" && bytes === 50 && resolve());
  });
  const fetched = assets.fetch("maps", { onProgress: ({ bytes, total }) => seen.push([bytes, total]) });
  shell.tell(progress("maps", 10), progress("music", 20), progress("maps", 50));
  await heard;
  finish();
  const ready = { group: "maps", state: "ready", files: 2, bytes: 90, missingBytes: 0 };
  assert.deepEqual({ ...(await fetched) }, ready);
  assert.deepEqual(seen, [[10, 50], [50, 50]]);
  // The answer overtakes the last event.
  const again = assets.fetch("maps", { onProgress: ({ bytes, total }) => seen.push([bytes, total]) });
  const begun = new Promise((resolve) => assets.onEvent(({ bytes }) => bytes === 30 && resolve()));
  shell.tell(progress("maps", 30));
  await begun;
  finish();
  await again;
  assert.deepEqual(seen.slice(2), [[30, 50], [50, 50]]);
  assert.equal((await assets.state("maps")).missingBytes, 7);
  const [listed] = await assets.list();
  assert.equal(listed.group, "maps");
});

test("what can not be had is a typed error, and other errors are none", async () => {
  const unavailable = { code: "AssetUnavailable", message: "…", details: { group: "maps", path: "maps/a", reason: "offline" } };
  const shell = await open({
    answer: (request) => {
      if (request.f === "assets.fetch") return "-" + JSON.stringify(unavailable);
      if (request.f === "assets.state") return '-{"code":"InvalidArguments","message":"…"}';
      return undefined;
    },
  });
  const { assets, isAssetUnavailable } = shell.api;
  const error = await rejected(assets.fetch("maps"));
  assert.ok(isAssetUnavailable(error));
  assert.deepEqual([error.details.reason, error.details.group, error.details.path], ["offline", "maps", "maps/a"]);
  assert.equal(isAssetUnavailable(await rejected(assets.state("mpas"))), false);
});

test("a fetch that is cancelled is rejected at once, and the shell is told which one", async () => {
  const shell = await open({ answer: (request) => (request.f === "assets.fetch" ? new Promise(() => {}) : undefined) });
  const { assets } = shell.api;
  const abort = new shell.window.AbortController();
  const failed = rejected(assets.fetch("maps", { signal: abort.signal }));
  abort.abort();
  assert.equal((await failed).code, "Cancelled");
  const sent = shell.of("desktop").map((request) => [request.f, JSON.parse(request.payload).id]);
  assert.deepEqual(sent.map(([name]) => name), ["assets.fetch", "assets.cancel"]);
  assert.equal(sent[0][1], sent[1][1]);
  assert.equal((await rejected(assets.fetch("maps", { signal: abort.signal }))).code, "Cancelled");
  assert.equal(shell.of("desktop").length, 2);
});
