// src/index.ts
var NoShell = class extends Error {
  code;
  details;
  constructor(code, message, details = null) {
    super(message);
    this.name = "CallError";
    this.code = code;
    this.details = details;
  }
};
var native = () => {
  const found = typeof window === "undefined" ? void 0 : window.__STAYSAIL__;
  if (!found) throw new NoShell("NoShell", "this page is not shown in a Staysail window; start it with `staysail dev`");
  return found;
};
var CallError = typeof window !== "undefined" && window.__STAYSAIL__?.CallError || NoShell;
function invoke(command, ...rest) {
  const [args, options] = rest;
  try {
    return native().call(command, args, options);
  } catch (error) {
    return Promise.reject(error);
  }
}
function listen(event, handler) {
  return native().listen(event, handler);
}
function once(event, handler) {
  const stop = listen(event, (payload) => {
    stop();
    handler(payload);
  });
  return stop;
}
function emit(event, payload) {
  return native().emit(event, payload);
}
function preserve(key, hooks) {
  if (typeof window !== "undefined" && window.__STAYSAIL__) native().preserve(key, hooks);
}
function onBackend(handler) {
  return listen("staysail:worker", handler);
}
var update = {
  /** Looks for a release now. */
  check: () => native().update("check"),
  /** Applies the staged release now, whatever was deferred. */
  apply: () => native().update("apply"),
  /** Does not apply before this many seconds have passed. */
  defer: (seconds) => native().update({ defer: { seconds: Math.max(0, Math.round(seconds)) } }),
  /** Is told of each step in the life of an update. Returns the function that stops it. */
  onEvent: (handler) => listen("staysail:update", handler)
};
async function app() {
  const welcome = await native().welcome;
  const { version, window: label, config } = welcome;
  return { version, mode: config.mode, constants: config.constants, window: label };
}
export {
  CallError,
  app,
  emit,
  invoke,
  listen,
  onBackend,
  once,
  preserve,
  update
};
