/**
 * Vite as the page's bundler of a Staysail app.
 *
 * ```js
 * import staysail from "@staysail/vite-plugin";
 *
 * export default { plugins: [staysail()] };
 * ```
 *
 * What Vite must know of the project (address, port, output folder, mode, constants) stands once, in staysail.toml, and is
 * handed over by `staysail dev` and `staysail build`. Started by hand, Vite works as ever, with nothing handed over.
 */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Plugin, ResolvedConfig, UserConfig, ViteDevServer } from "vite";
import { type Counted, counted } from "./late.js";
import { tellAll } from "./saves.js";
import { BACKEND_FILE, type Backend, INTERFACE_FILE, announce, backend, offered, session } from "./session.js";

/** Settings of the plugin. All have a good default. */
export interface Options {
  /** Show the backend's compile errors in Vite's overlay, instead of Staysail's. Default: as `server.hmr.overlay`. */
  overlay?: boolean;
}

/**
 * A plugin for `plugins` of Vite's configuration. Its type names nothing of Vite, so that it fits whichever version
 * the project has.
 */
export interface StaysailPlugin {
  name: "staysail";
}

/** An error as Vite's overlay wants it. */
export interface Shown {
  message: string;
  stack: string;
  plugin: string;
  id?: string;
  loc?: { file: string; line: number; column: number };
}

const MODULE = "virtual:staysail";
const PAGE = "virtual:staysail/page";
const RESOLVED = new Map([MODULE, PAGE].map((id) => [id, `\0${id}`]));
/** The webviews that apps run in: Chromium of WebView2, and WebKit of macOS 13.3 and WebKitGTK 2.40. */
const TARGETS = ["es2022", "safari16.4", "chrome110"];

/** The plugin. */
export default function staysail(options: Options = {}): StaysailPlugin {
  const told = session(process.env);
  let config: ResolvedConfig;
  let by_vite = false;
  let shows_errors = false;
  let present: Counted | null = null;

  const plugin: Plugin = {
    name: "staysail",

    config(user, { command }) {
      return command === "serve" ? serving(user) : building(user);
    },

    configResolved(resolved) {
      config = resolved;
      const hmr = resolved.server.hmr;
      by_vite = hmr !== false && (typeof hmr !== "object" || hmr.overlay !== false);
      shows_errors = resolved.command === "serve" && !!told.folder && hmr !== false && (options.overlay ?? by_vite);
      if (resolved.command === "build" && told.dist && resolve(resolved.root, resolved.build.outDir) !== resolve(told.dist)) {
        throw new Error(
          `Vite builds into ${resolve(resolved.root, resolved.build.outDir)}, and staysail.toml ships ${told.dist}.\n` +
            "  Take build.outDir out of Vite's configuration, or give both the same folder.",
        );
      }
    },

    configureServer(server) {
      if (!told.folder) return;
      const folder = told.folder;
      const page = server.environments.client.hot;
      announce(folder, shows_errors);
      tellAll(server.watcher);
      const now = (present = counted(server));
      const errors = (): Shown | null => (shows_errors ? shown(backend(folder)) : null);
      const show = (): void => page.send("staysail:backend", errors());
      server.watcher.add(folder);
      follow(server, join(folder, BACKEND_FILE), show);
      follow(server, join(folder, INTERFACE_FILE), () => reload(server));
      page.on("staysail:hello", async (_, client) => {
        client.send("staysail:backend", errors());
        const mistake = by_vite ? await now.mistake() : null;
        client.send("staysail:present", { ...now.count(), mistake });
      });
    },

    resolveId: (id) => RESOLVED.get(id),

    load(id) {
      if (id === RESOLVED.get(MODULE)) return appModule(offered(told.folder), told.mode, told.constants);
      if (id !== RESOLVED.get(PAGE)) return null;
      const code = readFileSync(new URL("./page.js", import.meta.url), "utf8");
      return `${code}\nimport { ErrorOverlay } from "/@vite/client";\nif (import.meta.hot) start(import.meta.hot, ErrorOverlay);\n`;
    },

    // The declarations lie between the page's sources. Nothing that runs is in them: editors and type checks read them.
    hotUpdate: ({ file }) => (told.types && resolve(file) === resolve(told.types) ? [] : undefined),

    transformIndexHtml() {
      if (!present || config.server.hmr === false) return [];
      const { server, changes } = present.count();
      const src = `${config.base}@id/__x00__${PAGE}`;
      return [{ tag: "script", attrs: { type: "module", src, "data-staysail": `${server} ${changes}` }, injectTo: "head" }];
    },
  };
  return plugin as StaysailPlugin;

  function defined(): Record<string, string> {
    const values = { ...told.constants, MODE: told.mode, APP: told.app, VERSION: told.version };
    return Object.fromEntries(Object.entries(values).map(([name, value]) => [`import.meta.env.STAYSAIL_${name}`, JSON.stringify(value)]));
  }

  function serving(user: UserConfig): UserConfig {
    const server: UserConfig["server"] = {};
    if (told.address) {
      // The window looks at this address and no other one: a server that moved on to the next port would never be seen.
      server.host = user.server?.host ?? told.address.hostname.replace(/^\[|\]$/g, "");
      server.port = Number(told.address.port) || (told.address.protocol === "https:" ? 443 : 80);
      server.strictPort = true;
      server.open = false;
    }
    // The compiler's messages stand in the same terminal.
    return { clearScreen: user.clearScreen ?? false, define: defined(), server };
  }

  function building(user: UserConfig): UserConfig {
    const build: UserConfig["build"] = {};
    if (user.build?.target === undefined) build.target = TARGETS;
    if (user.build?.outDir === undefined && told.dist) {
      build.outDir = told.dist;
      // Outside of Vite's root it would not be emptied; it is the page's folder and nothing else.
      build.emptyOutDir = user.build?.emptyOutDir ?? true;
    }
    return { define: defined(), build };
  }
}

/** Calls `changed` when the file is written anew. Its folder is watched: the file need not be there yet. */
function follow(server: ViteDevServer, file: string, changed: () => void): void {
  for (const event of ["add", "change"] as const) {
    server.watcher.on(event, (path) => {
      if (resolve(path) === resolve(file)) changed();
    });
  }
}

/** The interface is another one: the module with its names is made anew, and with it what imports it. */
function reload(server: ViteDevServer): void {
  for (const environment of Object.values(server.environments)) {
    const module = environment.moduleGraph.getModuleById(`\0${MODULE}`);
    if (module) void environment.reloadModule(module);
  }
}

/** `virtual:staysail`: the backend's commands as functions. */
function appModule(offered: { commands: string[]; events: string[] }, mode: string, constants: object): string {
  const commands = offered.commands.map((name) => {
    const text = JSON.stringify(name);
    return `  [${text}]: (args, options) => invoke(${text}, args, options),\n`;
  });
  return (
    'import { invoke } from "@staysail/api";\n' +
    `export const commands = Object.freeze({\n${commands.join("")}});\n` +
    `export const events = Object.freeze(${JSON.stringify(offered.events)});\n` +
    `export const mode = ${JSON.stringify(mode)};\n` +
    `export const constants = Object.freeze(${JSON.stringify(constants)});\n`
  );
}

/** What the overlay shows of the backend's state; `null` when there is nothing to show. */
function shown(backend: Backend | null): Shown | null {
  if (backend?.state !== "failed") return null;
  const { file, line, column } = backend;
  const place = file ? { id: file, loc: { file, line, column } } : {};
  return {
    message: "The backend does not compile. The one before goes on serving; save a fix and this goes away.",
    stack: backend.errors,
    plugin: "staysail",
    ...place,
  };
}
