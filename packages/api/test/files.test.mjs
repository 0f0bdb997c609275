// Files: what travels to the shell, and how its errors arrive.
import assert from "node:assert/strict";
import test from "node:test";
import { open } from "./shell.mjs";

const rejected = (promise) => promise.then(() => assert.fail("it was answered"), (error) => error);

test("bytes to write go as they are, their arguments beside them", async () => {
  const shell = await open();
  await shell.api.fs.write("$DATA/a.bin", new Uint8Array([9, 0, 10, 255, 9]).subarray(1, 4));
  await shell.api.fs.append("$DATA/log", "ahoy\n");
  await shell.api.fs.append("$DATA/log", new Uint8Array(0).buffer);
  const [write, text, bytes] = shell.of("desktop");
  assert.deepEqual([write.f, write.a, [...write.bytes]], ["fs.write", '{"path":"$DATA/a.bin"}', [0, 10, 255]]);
  assert.deepEqual([text.f, text.a, text.payload], ["fs.append", undefined, '{"path":"$DATA/log","text":"ahoy\\n"}']);
  assert.deepEqual([bytes.a, [...bytes.bytes]], ['{"path":"$DATA/log"}', []]);
});

test("operations name their options as the protocol does", async () => {
  const shell = await open();
  await shell.api.fs.read("$DATA/a", { offset: 5 });
  await shell.api.fs.remove("$DATA/a", { recursive: true });
  await shell.api.fs.rename("$DATA/a", "$DATA/b");
  const sent = shell.of("desktop").map((request) => [request.f, JSON.parse(request.payload)]);
  assert.deepEqual(sent, [
    ["fs.read", { path: "$DATA/a", offset: 5, length: null }],
    ["fs.remove", { path: "$DATA/a", recursive: true }],
    ["fs.rename", { from: "$DATA/a", to: "$DATA/b", overwrite: false }],
  ]);
});

test("an error of the disk says why, and other errors are none", async () => {
  const shell = await open({
    answer: (request) => {
      if (request.f === "fs.read_text") return '-{"code":"File","message":"`$DATA/a` …","details":{"reason":"not_found","path":"$DATA/a"}}';
      if (request.f === "fs.list") return '-{"code":"Denied","message":"…"}';
      return undefined;
    },
  });
  const { fs, isFileError } = shell.api;
  const error = await rejected(fs.readText("$DATA/a"));
  assert.ok(isFileError(error) && error.details.reason === "not_found" && error.details.path === "$DATA/a");
  assert.equal(isFileError(await rejected(fs.list("$HOME"))), false);
  assert.equal(isFileError(new Error("x")), false);
});
