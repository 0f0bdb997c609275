import { expect, test } from "vitest";
import { counted, wayOf } from "../src/words";

test("greetings are counted in words", () => {
  expect([0, 1, 2].map(counted)).toEqual(["No greetings yet", "1 greeting", "2 greetings"]);
});

test("the boat never leaves the water", () => {
  expect([-1, 0, 50, 101].map(wayOf)).toEqual([0, 0, 0.5, 1]);
});
