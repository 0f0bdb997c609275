// The app in its real window, on a display nobody sees: `staysail test`.
// What a driver can do: https://github.com/staysail/staysail/blob/main/docs/guide/testing.md
import assert from "node:assert/strict";
import { test } from "node:test";
import { openApp } from "@staysail/api/test";

test("who gives a name is greeted, and the greeting is counted", async (t) => {
  const app = await openApp(t);
  await app.fill("#name", "Ada");
  await app.press("Enter");
  await app.waitForText("Ada");
  await app.waitForText("1 greeting");
  assert.deepEqual(app.errors, []);
});
