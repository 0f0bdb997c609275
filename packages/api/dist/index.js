// Built from packages/api by `npm run build`; do not edit.
// src/index.ts
var runtime = globalThis.__STAYSAIL__;
var LocalCallError = class extends Error {
  name = "CallError";
  code;
  details;
  constructor(code, message, details = null) {
    super(message);
    this.code = code;
    this.details = details;
  }
};
var CallError = runtime?.CallError ?? LocalCallError;
var noShell = () => Promise.reject(
  new CallError("NoShell", "this page is not shown in a window of Staysail, so there is no backend to ask; start it with `staysail dev`")
);
function invoke(command, args, options) {
  return runtime ? runtime.call(command, args, options) : noShell();
}
function listen(event, handler) {
  return runtime ? runtime.listen(event, handler) : () => {
  };
}
function once(event, handler) {
  if (!runtime) return () => {
  };
  const unlisten = runtime.listen(event, (payload) => {
    unlisten();
    handler(payload);
  });
  return unlisten;
}
function emit(event, payload) {
  return runtime ? runtime.emit(event, payload) : noShell();
}
function preserve(key, hooks) {
  return runtime ? runtime.preserve(key, hooks) : () => {
  };
}
var update = Object.freeze({
  /** Looks for a release now. What is found is told by events. */
  check: () => runtime ? runtime.update("check") : noShell(),
  /** Applies the staged release now, even if it was deferred. */
  apply: () => runtime ? runtime.update("apply") : noShell(),
  /** Asks not to apply anything before so many seconds have passed. */
  defer: (seconds) => runtime ? runtime.update({ defer: { seconds: Math.max(0, Math.ceil(seconds)) } }) : noShell(),
  /** Calls `handler` with each step of an update. */
  onEvent: (handler) => listen("staysail:update", handler)
});
function onBackend(handler) {
  return listen("staysail:worker", handler);
}
var facts = runtime?.facts ?? { mode: "debug", version: "", window: "", generation: 0, constants: {} };
var ready = runtime?.ready ?? Promise.resolve();
var constants = facts.constants;
var mode = facts.mode;
var version = facts.version;
var currentWindow = Object.freeze({
  /** Its name, as the backend declared it. */
  get label() {
    return facts.window;
  },
  /** Counts the page loads of this window, from 1. */
  get generation() {
    return facts.generation;
  }
});
void ready.then(() => {
  ({ mode, version } = facts);
}, () => {
});
async function app() {
  if (!runtime) return noShell();
  await ready;
  const { version: version2, mode: mode2, constants: constants2, window } = facts;
  return { version: version2, mode: mode2, constants: constants2, window };
}
export {
  CallError,
  app,
  constants,
  currentWindow,
  emit,
  invoke,
  listen,
  mode,
  onBackend,
  once,
  preserve,
  ready,
  update,
  version
};
