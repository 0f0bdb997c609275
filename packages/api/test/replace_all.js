// Puts a spy in place of every function, constructor and getter a page can replace, and setters for the names the runtime
// uses onto Object.prototype. Whatever passes by is looked at: texts are kept, and requests, should one be seen, forged.
// Runs in jsdom (patched.test.mjs) and in the real window (tests/e2e/tests/patched.rs). `spied` tells what was seen.
(() => {
  const { apply, construct, ownKeys, getOwnPropertyDescriptor, defineProperty, getPrototypeOf } = Reflect;
  const { includes } = String.prototype;
  const Spy = Proxy;
  const functions = Function.prototype;
  const objects = Object.prototype;
  const lists = Array.prototype;
  const buffer = typeof ArrayBuffer === "function" && ArrayBuffer;
  const isList = Array.isArray;
  const toText = String;
  const spied = { __proto__: null, text: "", forged: 0, replaced: 0, by: "" };
  // Not at what this script itself does.
  let looking = true;
  let name_now = "";

  const look = (value, depth) => {
    if (typeof value === "string") {
      // What the runtime sends begins like this; the key and the secret are in it.
      if (apply(includes, value, ['"k":'])) spied.text += `${value}\n`;
      return;
    }
    if (typeof value !== "object" || value === null || depth > 2) return;
    const own = (name) => getOwnPropertyDescriptor(value, name) !== undefined;
    if ((own("payload") && own("given_up")) || (own("done") && own("failed")) || (own("t") && own("c"))) {
      spied.forged += 1;
      spied.by += `${name_now}.`;
      for (const [name, forged] of [["payload", '{"text":"forged"}'], ["c", "forged"], ["head", { t: "call", i: 1, c: "forged" }]]) {
        if (own(name)) value[name] = forged;
      }
    }
    if (isList(value)) for (let i = 0; i < value.length && i < 8; i++) look(value[i], depth + 1);
  };
  const see = (name, ...values) => {
    if (looking) return;
    looking = true;
    name_now = name;
    try {
      for (let i = 0; i < values.length; i++) look(values[i], 0);
    } catch {
      // Something that can not be looked at.
    }
    looking = false;
  };

  const proxies = new WeakMap();
  const spy = (original, name) => {
    const known = proxies.get(original);
    if (known) return known;
    const proxy = new Spy(original, {
      __proto__: null,
      apply(target, self, values) {
        see(name, self, values);
        const result = apply(target, self, values);
        see(name, result);
        return result;
      },
      construct(target, values, target_now) {
        see(name, values);
        return construct(target, values, target_now === proxy ? target : target_now);
      },
    });
    proxies.set(original, proxy);
    proxies.set(proxy, proxy);
    return proxy;
  };

  const done = new WeakSet();
  const replace = (owner) => {
    if (done.has(owner)) return;
    done.add(owner);
    for (const name of ownKeys(owner)) {
      if (name === "constructor" || name === "eval" || name === "spied" || name === "Proxy") continue;
      const property = getOwnPropertyDescriptor(owner, name);
      if (!property?.configurable && !property?.writable) continue;
      try {
        if (typeof property.value === "function") defineProperty(owner, name, { ...property, value: spy(property.value, toText(name)) });
        else if (typeof property.get === "function" && owner !== globalThis) defineProperty(owner, name, { ...property, get: spy(property.get, toText(name)) });
        else continue;
        spied.replaced += 1;
      } catch {
        // It can not be replaced.
      }
    }
  };
  // In jsdom some classes are those of Node itself, which would not survive this.
  const isOfThePage = (value) => {
    for (let at = value; at; at = getPrototypeOf(at)) if (at === functions) return true;
    return false;
  };
  const found = [];
  for (const name of ownKeys(globalThis)) {
    const value = getOwnPropertyDescriptor(globalThis, name)?.value;
    if (typeof value === "function" && isOfThePage(value)) {
      found.push(value);
      if (typeof value.prototype === "object" && value.prototype) found.push(value.prototype);
    } else if (value === JSON || value === Reflect || value === Math) found.push(value);
  }
  for (const hidden of [[][Symbol.iterator](), new Map().entries(), new Uint8Array(0)[Symbol.iterator]()]) {
    if (isOfThePage(hidden[Symbol.iterator])) found.push(getPrototypeOf(hidden));
  }
  if (isOfThePage(Uint8Array)) found.push(getPrototypeOf(Uint8Array), getPrototypeOf(Uint8Array.prototype));
  const handlers = globalThis.webkit?.messageHandlers?.staysail;
  if (handlers) found.push(getPrototypeOf(handlers), handlers);

  const evil = () => "forged";
  for (const prototype of [objects, lists]) defineProperty(prototype, "toJSON", { value: evil, configurable: true, writable: true });
  for (const name of ["ch", "raw", "payload", "head", "done", "failed", "given_up", "signal", "timeout", "receive", "handler", "0", "1", "2"]) {
    defineProperty(objects, name, {
      configurable: true,
      get: () => undefined,
      set(value) {
        see(`set-${name}`, this, value);
        defineProperty(this, name, { value, configurable: true, writable: true, enumerable: true });
      },
    });
  }
  if (buffer && isOfThePage(buffer)) {
    defineProperty(buffer, Symbol.hasInstance, { value: (value) => (see("instanceof", value), typeof value === "object"), configurable: true });
  }
  globalThis.spied = spied;
  for (const owner of found) replace(owner);
  replace(globalThis);
  looking = false;
})();
