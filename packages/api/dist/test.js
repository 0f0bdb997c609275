// Built from crates/cli/driver by `npm run build`; do not edit.
// `@staysail/api/test`: drives an app in its real window, for tests run by `staysail test`. W3C WebDriver underneath
// (https://www.w3.org/TR/webdriver2/), so whatever happens here happens as if a person had done it.
//
// Each `openApp` starts `staysail dev` with a folder of its own for the app's data, waits until the backend is live and
// the page is up, and attaches WebKitWebDriver to the window. Everything ends with the test.
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";

/** Key under which WebDriver names an element (W3C WebDriver, 12.2). */
const ELEMENT = "element-6066-11e4-a52e-4f735466cecf";
/** What is waited for happens within this time. */
const TIMEOUT_MS = 10_000;
/** The first build compiles the dependencies, too. */
const START_MS = 600_000;
/** Between two looks. */
const LOOK_MS = 40;
/** Lines of the app's output that are shown when a test fails. */
const LINES_MAX = 40;
/** Errors of WebDriver that mean: not yet. */
const NOT_YET = [
  "no such element",
  "stale element reference",
  "element not interactable",
  "element click intercepted",
  "invalid element state",
];

/** Names of keys (W3C WebDriver, 17.4.2); anything else is typed as it is. */
const KEYS = {
  Backspace: "\uE003", Tab: "\uE004", Enter: "\uE007", Shift: "\uE008", Control: "\uE009", Alt: "\uE00A", Escape: "\uE00C",
  Space: " ", PageUp: "\uE00E", PageDown: "\uE00F", End: "\uE010", Home: "\uE011", ArrowLeft: "\uE012", ArrowUp: "\uE013",
  ArrowRight: "\uE014", ArrowDown: "\uE015", Insert: "\uE016", Delete: "\uE017", Meta: "\uE03D",
};

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A step that failed: what was wanted, and what the app said last. */
export class DriverError extends Error {
  name = "DriverError";
}

/**
 * Opens the app in its window. With the context of a test (`t`) the app is closed when the test ends, and a test that
 * failed leaves a picture of the page.
 */
export async function openApp(t, options = {}) {
  if (t && typeof t.after !== "function") [t, options] = [undefined, t];
  const project = options.project ?? process.env.STAYSAIL_TEST_PROJECT ?? process.cwd();
  const app = new App(options.timeout ?? TIMEOUT_MS, project);
  const close = () => app.close();
  if (t) {
    t.after(async () => {
      if (t.passed === false && app.isOpen) await app.keepPicture(t.name);
      await close();
    });
  }
  try {
    await app.start();
  } catch (error) {
    await close();
    throw error;
  }
  return app;
}

/** An app in its window. Made by {@link openApp}. */
export class App {
  #timeout;
  #project;
  #folder;
  #dev;
  #driver;
  #ended = Promise.resolve();
  #address = "";
  #lines = [];
  #said = [];
  #wake = () => {};

  constructor(timeout, project) {
    this.#timeout = timeout;
    this.#project = project;
  }

  get isOpen() {
    return this.#address !== "";
  }

  /** What page and backend have written so far. */
  get output() {
    return [...this.#lines];
  }

  /** Errors of the page so far: `{ kind, level, message, place }`. */
  get errors() {
    return this.#said.filter((said) => said.kind === "page_report" && said.report.level === "error").map((said) => said.report);
  }

  async start() {
    this.#folder = mkdtempSync(join(tmpdir(), "staysail-test-"));
    const port = await freePort();
    this.#dev = spawn(
      process.env.STAYSAIL_TEST_COMMAND ?? "staysail",
      ["dev", "--json", "--driven", join(this.#folder, "app"), "--project", this.#project],
      { env: { ...process.env, WEBKIT_INSPECTOR_SERVER: `127.0.0.1:${port}`, NO_COLOR: "1", BROWSER: "none" }, stdio: ["ignore", "pipe", "pipe"] },
    );
    const dev = this.#dev;
    this.#ended = new Promise((resolve) => dev.on("close", resolve).on("error", (error) => (this.#line(String(error)), resolve())));
    void this.#ended.then(() => this.#wake());
    // However this process ends, the command ends too.
    const kill = () => dev.kill("SIGKILL");
    process.on("exit", kill);
    void this.#ended.then(() => process.off("exit", kill));
    createInterface({ input: dev.stdout }).on("line", (line) => this.#hear(line));
    createInterface({ input: dev.stderr }).on("line", (line) => this.#line(line));
    await this.#heard("swap_done", START_MS);
    await this.#heard("page_ready", START_MS);
    await this.#attach(port);
  }

  #line(line) {
    this.#lines.push(line);
  }

  #hear(line) {
    let said;
    try {
      said = JSON.parse(line);
    } catch {
      return this.#line(line);
    }
    this.#said.push(said);
    if (said.kind === "worker_log") this.#line(`backend ${said.level}: ${said.message}`);
    if (said.kind === "page_report") this.#line(`page ${said.report.level}: ${said.report.message} ${said.report.place}`);
    if (said.kind === "worker_lost" || said.kind === "swap_failed") this.#line(said.reason);
    this.#wake();
  }

  async #heard(kind, patience) {
    const end = Date.now() + patience;
    for (;;) {
      if (this.#said.some((said) => said.kind === kind)) return;
      const failed = this.#said.find((said) => said.kind === "build_failed" || said.kind === "error" || said.kind === "swap_failed");
      if (failed) throw new DriverError(`the app did not start:\n${failed.errors ?? failed.message ?? failed.reason}`);
      if (this.#dev.exitCode !== null || this.#dev.signalCode !== null) throw this.#failure("`staysail dev` ended before the app was up");
      if (Date.now() > end) throw this.#failure(`no \`${kind}\` within ${patience / 1000} s`);
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, end - Date.now());
        this.#wake = () => (clearTimeout(timer), resolve());
      });
    }
  }

  #failure(message, cause) {
    const lines = this.#lines.slice(-LINES_MAX);
    return new DriverError(lines.length > 0 ? `${message}\n--- the app said\n${lines.join("\n")}` : message, { cause });
  }

  /** The driver says "session not created" while the shell has no page yet: it is asked again. */
  async #attach(port) {
    const end = Date.now() + Math.max(this.#timeout, 20_000);
    await reachable(port, end);
    let last;
    while (Date.now() < end) {
      const own = await freePort();
      const driver = spawn("WebKitWebDriver", [`--port=${own}`, `--target=127.0.0.1:${port}`], { stdio: "ignore" });
      const missing = new Promise((_, reject) => driver.on("error", reject));
      missing.catch(() => {});
      const kill = () => driver.kill("SIGKILL");
      process.on("exit", kill);
      driver.on("exit", () => process.off("exit", kill));
      try {
        await Promise.race([missing, reachable(own, end)]);
        const { sessionId } = await ask("POST", `http://127.0.0.1:${own}/session`, { capabilities: { alwaysMatch: {} } });
        this.#driver = driver;
        this.#address = `http://127.0.0.1:${own}/session/${sessionId}`;
        await this.#post("/timeouts", { script: this.#timeout, pageLoad: this.#timeout, implicit: 0 });
        return;
      } catch (error) {
        last = error;
        driver.kill("SIGKILL");
        if (error.code === "ENOENT") throw new DriverError("WebKitWebDriver is not installed (Debian, Ubuntu: webkit2gtk-driver)");
      }
    }
    throw this.#failure("the window could not be driven", last);
  }

  #post(path, body = {}) {
    if (!this.isOpen) throw new DriverError("the app is closed");
    return ask("POST", this.#address + path, body);
  }

  #get(path) {
    if (!this.isOpen) throw new DriverError("the app is closed");
    return ask("GET", this.#address + path);
  }

  /** Tries until it works, or the time is over. */
  async #until(what, action) {
    const end = Date.now() + this.#timeout;
    for (;;) {
      try {
        const value = await action();
        if (value !== undefined) return value;
        if (Date.now() > end) throw this.#failure(`${what}: not within ${this.#timeout} ms`);
      } catch (error) {
        if (error instanceof DriverError || !NOT_YET.includes(error.webdriver) || Date.now() > end) {
          throw error instanceof DriverError ? error : this.#failure(`${what}: ${error.message}`, error);
        }
      }
      await pause(LOOK_MS);
    }
  }

  /** Waits for the first element that matches a CSS selector, or holds a text: `text=Greet`. */
  async find(selector) {
    const found = await this.#until(`finding ${selector}`, () => this.#post("/element", strategy(selector)));
    return new Element(this, found[ELEMENT], selector);
  }

  /** All elements that match now. */
  async findAll(selector) {
    const found = await this.#post("/elements", strategy(selector));
    return found.map((one) => new Element(this, one[ELEMENT], selector));
  }

  /** Does something to the first element that matches, as soon as it can be done. */
  on(selector, what, action) {
    return this.#until(`${what} ${selector}`, async () => {
      const found = await this.#post("/element", strategy(selector));
      return (await action(`/element/${found[ELEMENT]}`)) ?? null;
    });
  }

  /** Does something to an element that was found. */
  to(element, what, action) {
    return this.#until(`${what} ${element.selector}`, async () => (await action(`/element/${element.id}`)) ?? null);
  }

  /** One request to the driver, for what this class has no word for: path below the session, and body. */
  webdriver(method, path, body) {
    return method === "GET" ? this.#get(path) : method === "POST" ? this.#post(path, body) : ask(method, this.#address + path, body);
  }

  async click(selector) {
    await this.on(selector, "clicking", (at) => this.#post(`${at}/click`));
  }

  /** Types behind what is there. */
  async type(selector, text) {
    await this.on(selector, "typing into", (at) => this.#post(`${at}/value`, { text }));
  }

  /** Types in place of what is there. */
  async fill(selector, text) {
    await this.on(selector, "filling", async (at) => {
      await this.#post(`${at}/clear`);
      await this.#post(`${at}/value`, { text });
    });
  }

  /** The text of an element as it is shown. */
  text(selector) {
    return this.on(selector, "reading", (at) => this.#get(`${at}/text`));
  }

  /** Presses a key, or several together: `Enter`, `Control+a`. */
  async press(keys) {
    const names = keys === "+" ? ["+"] : keys.split("+");
    const values = names.map((name) => KEYS[name] ?? name);
    const actions = [
      ...values.map((value) => ({ type: "keyDown", value })),
      ...values.reverse().map((value) => ({ type: "keyUp", value })),
    ];
    await this.#post("/actions", { actions: [{ type: "key", id: "keyboard", actions }] });
  }

  /** Runs a function in the page, with these arguments (as JSON), and brings what it returns or resolves to. */
  async evaluate(action, ...args) {
    const script =
      "const [args, done] = [Array.prototype.slice.call(arguments, 0, -1), arguments[arguments.length - 1]];" +
      `(async () => (${typeof action === "function" ? action : `() => (${action})`})(...args))().then(` +
      "(value) => done({ value: value === undefined ? null : value })," +
      "(error) => done({ error: String((error && error.message) || error), code: (error && error.code) || null }));";
    const answer = await this.#post("/execute/async", { script, args });
    if (answer.error !== undefined) {
      throw Object.assign(new DriverError(`in the page: ${answer.error}`), answer.code === null ? {} : { code: answer.code });
    }
    return answer.value;
  }

  /** Calls a command of the backend, as the page does. */
  invoke(command, args = {}) {
    return this.evaluate((command, args) => window.__STAYSAIL__.call(command, args), command, args);
  }

  /** Waits for an element, or until a function returns something true in the page; returns that. */
  waitFor(what, ...args) {
    if (typeof what === "string") return this.find(what);
    return this.#until(`waiting for ${what}`, async () => (await this.evaluate(what, ...args)) || undefined);
  }

  /** Waits until the page shows this text. */
  async waitForText(text) {
    await this.#until(`waiting for the text ${JSON.stringify(text)}`, async () => {
      const shown = await this.evaluate(() => document.body.innerText);
      return shown.includes(text) || undefined;
    });
  }

  title() {
    return this.#get("/title");
  }

  /** A picture of the page, PNG; written to `path` when one is given. */
  async screenshot(path) {
    const png = Buffer.from(await this.#get("/screenshot"), "base64");
    if (path) {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, png);
    }
    return png;
  }

  async keepPicture(name) {
    const folder = process.env.STAYSAIL_TEST_PICTURES ?? join(tmpdir(), "staysail-test-pictures");
    const path = join(folder, `${name.replace(/[^\p{L}\p{N}]+/gu, "-")}.png`);
    try {
      await this.screenshot(path);
      console.error(`the page when the test failed: ${path}`);
    } catch (error) {
      console.error(`no picture could be taken: ${error.message}`);
    }
  }

  /** Closes the window and ends everything. */
  async close() {
    this.#address = "";
    this.#driver?.kill("SIGKILL");
    if (this.#dev && this.#dev.exitCode === null && this.#dev.signalCode === null) this.#dev.kill("SIGTERM");
    await this.#ended;
    if (this.#folder) rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** An element of the page. Its actions wait until they can be done. */
export class Element {
  #app;

  constructor(app, id, selector) {
    this.#app = app;
    this.id = id;
    this.selector = selector;
  }

  async click() {
    await this.#app.to(this, "clicking", (at) => this.#app.webdriver("POST", `${at}/click`, {}));
  }

  async type(text) {
    await this.#app.to(this, "typing into", (at) => this.#app.webdriver("POST", `${at}/value`, { text }));
  }

  async fill(text) {
    await this.#app.to(this, "filling", (at) => this.#app.webdriver("POST", `${at}/clear`, {}));
    await this.type(text);
  }

  text() {
    return this.#app.to(this, "reading", (at) => this.#app.webdriver("GET", `${at}/text`));
  }

  /** The content of a field. */
  value() {
    return this.#app.to(this, "reading", (at) => this.#app.webdriver("GET", `${at}/property/value`));
  }

  /** An attribute; null when there is none. */
  attribute(name) {
    return this.#app.to(this, "reading", (at) => this.#app.webdriver("GET", `${at}/attribute/${encodeURIComponent(name)}`));
  }

  isShown() {
    return this.#app.to(this, "looking at", (at) => this.#app.webdriver("GET", `${at}/displayed`));
  }
}

function strategy(selector) {
  if (!selector.startsWith("text=")) return { using: "css selector", value: selector };
  const text = selector.slice("text=".length);
  // XPath 1.0 has no escapes in literals.
  const literal = text.includes('"') ? `concat("${text.split('"').join(`", '"', "`)}")` : `"${text}"`;
  return { using: "xpath", value: `//body//*[text()[normalize-space(.) = normalize-space(${literal})]]` };
}

async function ask(method, url, body) {
  const response = await fetch(url, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
  });
  const { value } = await response.json();
  if (response.ok) return value;
  throw Object.assign(new Error(`${value?.error}: ${value?.message}`), { webdriver: value?.error });
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject).listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

async function reachable(port, end) {
  for (;;) {
    const open = await new Promise((resolve) => {
      const socket = connect(port, "127.0.0.1", () => (socket.destroy(), resolve(true)));
      socket.on("error", () => resolve(false));
    });
    if (open) return;
    if (Date.now() > end) throw new Error(`nothing listens on port ${port}`);
    await pause(LOOK_MS);
  }
}
