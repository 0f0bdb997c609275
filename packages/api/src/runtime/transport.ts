/**
 * Requests to the shell, as crates/protocol/src/bridge.rs describes them.
 *
 * The key never leaves this closure. Heads are put together from primitives, because `JSON.stringify` of an object
 * would call a `toJSON` the page may have put on `Object.prototype`; whatever is used later is taken at the start,
 * before a script of the page can exchange it.
 */
import type { Welcome } from "../native";

/** The longest text that goes as a script message; longer ones are posted. */
const INLINE_CHARACTERS_MAX = 8192;

export interface Boot {
  secret: string;
  native: boolean;
  base: string;
  allowed: string[];
}

export class CallError extends Error {
  readonly code: string;
  readonly details: unknown;
  constructor(code: string, message: string, details: unknown = null) {
    super(message);
    this.name = "CallError";
    this.code = code;
    this.details = details;
  }
}

export type Send = (what: string, payload?: string | Uint8Array) => Promise<unknown>;

export interface Transport {
  /** Sends a request; `what` is the inside of its head's object. Waits for the key. */
  send: Send;
  welcome: Promise<Welcome>;
}

export function connect(boot: Boot): Transport {
  const { parse } = JSON;
  const fetchNow = window.fetch.bind(window);
  const Bytes = Uint8Array;
  const encoder = new TextEncoder();
  const handler = boot.native ? (window as any).webkit.messageHandlers.staysail : null;
  const post: ((text: string) => Promise<string>) | null = handler ? handler.postMessage.bind(handler) : null;
  const slice = Function.prototype.call.bind(String.prototype.slice) as (text: string, from: number) => string;
  const { base, secret } = boot;

  const postBody = async (body: string | Uint8Array): Promise<string> => {
    const options = Object.assign(Object.create(null), { method: "POST", body });
    const response = await fetchNow(base + "/__staysail/call", options);
    return response.text();
  };

  const request = async (key: string, what: string, payload?: string | Uint8Array): Promise<unknown> => {
    const head = '{"k":"' + key + '",' + what + "}";
    let answer: string;
    if (payload instanceof Bytes) {
      const start = encoder.encode(head + "\n");
      const body = new Bytes(start.length + payload.length);
      body.set(start);
      body.set(payload, start.length);
      answer = await postBody(body);
    } else {
      const text = payload === undefined ? head : head + "\n" + payload;
      answer = await (post && text.length <= INLINE_CHARACTERS_MAX ? post(text) : postBody(text));
    }
    const rest = slice(answer, 1);
    if (answer[0] === "+") return parse(rest);
    if (answer[0] === "@") {
      const response = await fetchNow(base + rest);
      if (!response.ok) throw new CallError("PageGone", await response.text());
      const raw = response.headers.get("content-type") === "application/octet-stream";
      return raw ? response.arrayBuffer() : response.json();
    }
    const error = parse(rest);
    throw new CallError(error.code, error.message, error.details ?? null);
  };

  let key = "";
  const welcome = request(secret, '"t":"hello"').then((said) => {
    key = (said as Welcome).key;
    return { ...(said as Welcome), key: "" };
  });
  return {
    welcome,
    send: async (what, payload) => {
      if (!key) await welcome;
      return request(key, what, payload);
    },
  };
}
