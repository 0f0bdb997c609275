import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { outputs, pathOf } from "../scripts/build.mjs";

test("what is committed is what the source makes", async () => {
  for (const [name, text] of Object.entries(await outputs())) {
    assert.ok(readFileSync(pathOf(name), "utf8") === text, `${name} is out of date: run \`npm run build\` in packages/api`);
  }
});

test("the start script is one function expression", () => {
  const text = readFileSync(pathOf("../../crates/shell/page/start.js"), "utf8");
  assert.equal(typeof (0, eval)(`(${text})`), "function");
});

test("the lock file names no registry", () => {
  assert.ok(!readFileSync(pathOf("package-lock.json"), "utf8").includes('"resolved"'));
});
