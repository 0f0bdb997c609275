// Names of fields: camelCase in pages, snake_case in the shell.
import assert from "node:assert/strict";
import test from "node:test";
import { open } from "./shell.mjs";

// What comes out of the page has other prototypes.
const plain = (value) => JSON.parse(JSON.stringify(value));

const ANSWERS = {
  "app.info": { id: "a.b", data_dir: "/data", home_dir: "/home", temp_dir: "/tmp", arguments: ["snake_case"] },
  "window.state": { label: "main", always_on_top: true, intercept_close: false },
  "cookies.list": [{ name: "sid_a", value: "x_y", http_only: true, same_site: "lax", expires_s: 7 }],
  "cookies.get": null,
  "fs.list": [{ name: "two_words.txt", kind: "file", unreadable_name: true }],
};

test("answers have the fields a page expects, and what stands in them is left alone", async () => {
  const shell = await open({ answer: (request) => (request.f in ANSWERS ? `+${JSON.stringify(ANSWERS[request.f])}` : undefined) });
  const { application, cookies, currentWindow, fs } = shell.api;
  assert.deepEqual(plain(await application.info()), { id: "a.b", dataDir: "/data", homeDir: "/home", tempDir: "/tmp", arguments: ["snake_case"] });
  assert.deepEqual(plain(await currentWindow.state()), { label: "main", alwaysOnTop: true, interceptClose: false });
  assert.deepEqual(plain(await cookies.list()), [{ name: "sid_a", value: "x_y", httpOnly: true, sameSite: "lax", expires: 7 }]);
  assert.equal(await cookies.get("https://a.b", "sid"), null);
  assert.deepEqual(plain(await fs.list("$DATA")), [{ name: "two_words.txt", kind: "file", unreadableName: true }]);
});

test("what a page asks for is spelled as the shell does", async () => {
  const shell = await open();
  await shell.api.cookies.set({ name: "a", value: "b", domain: "c.d", httpOnly: true, sameSite: "strict", expires: 7 });
  await shell.api.tray.set({ icon: "/a.png", menuOnClick: true });
  await shell.api.openWindow({ label: "x", alwaysOnTop: true });
  await shell.api.currentWindow.setMenu([{ id: "a", text: "A" }]);
  await new shell.api.AppWindow("x").updateMenu("a", { enabled: false });
  const sent = shell.of("desktop").map((request) => [request.f, JSON.parse(request.payload)]);
  assert.deepEqual(sent, [
    ["cookies.set", { cookie: { name: "a", value: "b", domain: "c.d", http_only: true, same_site: "strict", expires_s: 7 } }],
    ["tray.set", { tray: { icon: "/a.png", menu_on_click: true } }],
    ["window.create", { window: { label: "x", always_on_top: true } }],
    // Without a label it would be the application's menu.
    ["menu.set", { label: "main", items: [{ id: "a", text: "A" }] }],
    ["menu.update", { label: "x", id: "a", enabled: false }],
  ]);
});
