// `staysail dev --browser --no-window` under test: a copy of an app in a folder of its own, started, listened to, and
// ended with everything it started. Chromium is the system's.
import { spawn, spawnSync } from "node:child_process";
import { appendFileSync, cpSync, existsSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

export const repository = fileURLToPath(new URL("../..", import.meta.url));
const target = process.env.CARGO_TARGET_DIR ?? join(repository, "target");
export const programs = process.env.STAYSAIL_BIN_DIR ?? join(target, "debug");

/** Where pictures go. */
export const pictures = join(target, "e2e/screenshots");

/** Only a failing test waits for this: a build on a busy machine may take long. */
export const PATIENCE_MS = 400_000;

/** Starts Chromium. Root, which containers run tests as, gets no sandbox from it. */
export function startChromium() {
  const found = ["chromium", "chromium-browser", "google-chrome"].find((name) => spawnSync("which", [name]).status === 0);
  const executablePath = process.env.STAYSAIL_CHROMIUM ?? found;
  if (!executablePath) throw new Error("no Chromium here; Debian: apt-get install chromium (./x test does it)");
  const path = executablePath.startsWith("/") ? executablePath : spawnSync("which", [executablePath], { encoding: "utf8" }).stdout.trim();
  return chromium.launch({ executablePath: path, args: process.getuid?.() === 0 ? ["--no-sandbox"] : [] });
}

/** A copy of the fixture `counter`. */
export function project() {
  const folder = mkdtempSync(join(tmpdir(), "staysail-browser-"));
  const root = join(folder, "counter");
  cpSync(join(repository, "tests/e2e/fixtures/counter"), root, { recursive: true });
  const settle = (place) => {
    for (const name of readdirSync(place)) {
      const path = join(place, name);
      if (statSync(path).isDirectory()) settle(path);
      else if (name.endsWith(".template")) {
        writeFileSync(path, readFileSync(path, "utf8").replaceAll("{{staysail}}", join(repository, "crates/staysail")));
        renameSync(path, path.slice(0, -".template".length));
      }
    }
  };
  settle(root);
  cpSync(join(repository, "Cargo.lock"), join(root, "Cargo.lock"));
  appendFileSync(join(root, "staysail.toml"), '\n[[capabilities]]\nwindows = ["main"]\nallow = ["window.*", "app.info"]\n');
  return { root, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Replaces a part of a file, which must be there. */
export function edit(root, path, from, to) {
  const text = readFileSync(join(root, path), "utf8");
  if (!text.includes(from)) throw new Error(`${path} does not contain ${from}`);
  writeFileSync(join(root, path), text.replace(from, to));
}

/** `staysail dev`, running. */
export class Dev {
  static start(root, flags = []) {
    const program = join(programs, "staysail");
    if (!existsSync(program)) throw new Error(`${program} is missing: cargo build -p staysail-cli -p staysail-shell`);
    const env = {
      ...process.env,
      STAYSAIL_SHELL: join(programs, "staysail-shell"),
      // What all projects under test are built from is compiled once.
      STAYSAIL_TARGET_DIR: join(target, "e2e/cargo"),
      BROWSER: "none",
      NO_COLOR: "1",
      XDG_DATA_HOME: join(root, "../data"),
      XDG_RUNTIME_DIR: join(root, ".."),
    };
    // Nothing here may need a display.
    for (const name of ["DISPLAY", "WAYLAND_DISPLAY", "STAYSAIL_ENV", "CARGO_TARGET_DIR"]) delete env[name];
    const child = spawn(program, ["dev", "--json", "--browser", ...flags], { cwd: root, env, stdio: ["ignore", "pipe", "pipe"] });
    return new Dev(child);
  }

  constructor(child) {
    this.child = child;
    this.lines = [];
    this.errors = [];
    this.wake = () => {};
    createInterface({ input: child.stdout }).on("line", (line) => {
      this.lines.push(JSON.parse(line));
      this.wake();
    });
    createInterface({ input: child.stderr }).on("line", (line) => this.errors.push(line));
    this.ended = new Promise((resolve) => child.on("exit", resolve));
    const kill = () => child.kill("SIGKILL");
    process.on("exit", kill);
    this.ended.then(() => {
      process.off("exit", kill);
      this.wake();
    });
  }

  /** How much it has said. */
  get position() {
    return this.lines.length;
  }

  /** The next line of this kind that satisfies `wanted`. */
  async until(kind, from = 0, wanted = () => true) {
    const end = Date.now() + PATIENCE_MS;
    for (;;) {
      const found = this.lines.slice(from).find((line) => line.kind === kind && wanted(line));
      if (found) return found;
      if (this.child.exitCode !== null || Date.now() > end) {
        throw new Error(`no ${kind}; it said ${JSON.stringify(this.lines.slice(-8), null, 1)}\n${this.errors.slice(-20).join("\n")}`);
      }
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, end - Date.now());
        this.wake = () => (clearTimeout(timer), resolve());
      });
    }
  }

  async end() {
    this.child.kill("SIGTERM");
    await this.ended;
  }
}

/** A port that was free a moment ago. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject).listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** One plain HTTP request with exactly these headers: status, headers and text. */
export function ask(url, headers = {}, method = "GET") {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part) => (text += part));
      response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, text }));
    });
    sent.on("error", reject);
    // A socket that is opened is an answer, too.
    sent.on("upgrade", (response, socket) => {
      socket.destroy();
      resolve({ status: response.statusCode, headers: response.headers, text: "" });
    });
    sent.end();
  });
}
