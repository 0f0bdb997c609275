/** The library for pages without a bundler: the same module, and `window.staysail` for classic scripts. */
import * as api from "./index";

export * from "./index";

Object.defineProperty(globalThis, "staysail", { value: api, configurable: true });
