import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

const samples = readFileSync(new URL("types/generated/samples.ts", import.meta.url), "utf8");
const written = [...samples.matchAll(/^export const (\w+): (.*?) = (.*);$/gm)].map(([, , type, json]) => ({ type, json }));

test("what Rust writes goes through a page's JSON without losing a digit", () => {
  assert.ok(written.length > 30, `${written.length} samples`);
  for (const { type, json } of written) assert.equal(JSON.stringify(JSON.parse(json)), json, type);
});

test("integers of 64 bits and more are exact at both ends of their range", () => {
  const large = JSON.parse(written.find(({ type }) => type === "Large").json);
  assert.equal(BigInt(large.most), 2n ** 64n - 1n);
  assert.equal(BigInt(large.least), -(2n ** 63n));
  assert.equal(BigInt(large.widest), -(2n ** 127n));
  assert.equal(large.words, Number.MAX_SAFE_INTEGER);
});
