import assert from "node:assert/strict";
import { test } from "node:test";
import { counted, wayOf } from "{{words}}";

test("greetings are counted in words", () => {
  assert.equal(counted(0), "No greetings yet");
  assert.equal(counted(1), "1 greeting");
  assert.equal(counted(2), "2 greetings");
});

test("the boat never leaves the water", () => {
  assert.deepEqual([-1, 0, 50, 101].map(wayOf), [0, 0, 0.5, 1]);
});
