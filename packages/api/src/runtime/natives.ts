/**
 * Everything of the browser that sees a key or decides whether one is sent, taken before the page's own code
 * runs. Whoever patches `JSON`, `fetch` or a prototype later is not asked.
 */
const { apply } = Reflect;
const promiseThen = Promise.prototype.then;
const textOf = Response.prototype.text;
const bytesOf = Response.prototype.arrayBuffer;
const headerOf = Headers.prototype.get;
const responseHeaders = Object.getOwnPropertyDescriptor(Response.prototype, "headers")?.get;
const responseOk = Object.getOwnPropertyDescriptor(Response.prototype, "ok")?.get;
const fetchNow = fetch;
const setTimer = setTimeout;
const clearTimer = clearTimeout;
const sliceText = String.prototype.slice;
const unitOfText = String.prototype.charCodeAt;
const ownProperty = Object.prototype.hasOwnProperty;

const defineOwn = Reflect.defineProperty;
const objects = Object.prototype;
const { getPrototypeOf } = Object;
const getter = (of: object, key: PropertyKey): (() => unknown) => Object.getOwnPropertyDescriptor(of, key)?.get ?? (() => undefined);
const typedArrays = getPrototypeOf(Uint8Array.prototype) as Uint8Array;
const copyBytes = typedArrays.set;
const Bytes = Uint8Array;
const buffers = ArrayBuffer.prototype;
const { isView } = ArrayBuffer;
const lengthOfBuffer = getter(buffers, "byteLength");
const kindOfArray = getter(typedArrays, Symbol.toStringTag);
const partsOf = (of: object) => [getter(of, "buffer"), getter(of, "byteOffset"), getter(of, "byteLength")] as const;
const partsOfArray = partsOf(typedArrays);
const partsOfView = partsOf(DataView.prototype);

const decoder = new TextDecoder();
const decodeNow = TextDecoder.prototype.decode;

/** UTF-8 as text. */
export const decode = (bytes: ArrayBuffer): string => apply(decodeNow, decoder, [bytes]);

/** A value as text, whoever `String` is by now. */
export const toText: (value: unknown) => string = String;
export const toNumber: (value: unknown) => number = Number;

/** Puts a value into a list of ours: a setter on the page's `Array.prototype` is not asked. */
export const put = <T>(list: T[], index: number, value: T): void => {
  defineOwn(list, index, { __proto__: null, value, writable: true, enumerable: true, configurable: true } as PropertyDescriptor);
};

/** Copies bytes, whatever `set` of typed arrays is by now. */
export const copyInto = (target: Uint8Array, source: Uint8Array, at: number): void => apply(copyBytes, target, [source, at]);

/** Whether this is an `ArrayBuffer`, of any frame, whatever `instanceof` is by now. */
export function isBuffer(value: unknown): value is ArrayBuffer {
  if (typeof value !== "object" || value === null) return false;
  const above: unknown = getPrototypeOf(value);
  if (above === buffers) return true;
  // Most arguments are these: no need to try.
  if (above === objects || above === null) return false;
  try {
    apply(lengthOfBuffer, value, []);
    return true;
  } catch {
    return false;
  }
}

/** The bytes of a buffer or a view; null for everything else. */
export function asBytes(value: unknown): Uint8Array<ArrayBuffer> | null {
  if (typeof value !== "object" || value === null) return null;
  if (!isView(value)) return isBuffer(value) ? new Bytes(value) : null;
  const kind: unknown = apply(kindOfArray, value, []);
  if (kind === "Uint8Array") return value as Uint8Array<ArrayBuffer>;
  const [buffer, offset, length] = kind === undefined ? partsOfView : partsOfArray;
  return new Bytes(apply(buffer, value, []) as ArrayBuffer, apply(offset, value, []) as number, apply(length, value, []) as number);
}

/** The buffer they lie in, whatever `buffer` is by now. */
export const bufferOf = (bytes: Uint8Array<ArrayBuffer>): ArrayBuffer => apply(partsOfArray[0], bytes, []) as ArrayBuffer;
/** How many bytes these are, whatever `length` is by now. */
export const sizeOf = (bytes: Uint8Array): number => apply(partsOfArray[2], bytes, []) as number;
export const makeBytes = (size: number): Uint8Array<ArrayBuffer> => new Bytes(size);

export const { isArray } = Array;
export const { assign, freeze } = Object;
/** Of primitive values; objects are written by `json.ts`. */
export const stringify = JSON.stringify;
export const parse: (text: string) => unknown = JSON.parse;
export const now = Date.now;
export const NativePromise = Promise;

/** `promise.then` that neither looks the method up on the page's prototype nor hands a value on. */
export function settle<T>(promise: Promise<T>, done: (value: T) => void, failed: (reason: unknown) => void): void {
  apply(promiseThen, promise, [(value: T) => void done(value), (reason: unknown) => void failed(reason)]);
}

export const later = (action: () => void, ms: number): number => apply(setTimer, window, [action, ms]) as number;
export const unlater = (timer: number | undefined): void => apply(clearTimer, window, [timer]);
export const slice = (text: string, from: number, to?: number): string => apply(sliceText, text, [from, to]);
export const unitAt = (text: string, at: number): number => apply(unitOfText, text, [at]);
export const has = (value: object, key: string): boolean => apply(ownProperty, value, [key]);

/** A table without a prototype, for numbers as keys. */
export const emptyTable = <T>(): Record<number, T> => ({ __proto__: null }) as unknown as Record<number, T>;

/** Numbers joined by commas. */
export function joined(numbers: number[]): string {
  let text = "";
  for (let i = 0; i < numbers.length; i++) text += i === 0 ? `${numbers[i]}` : `,${numbers[i]}`;
  return text;
}

/** A property of a parsed object, never one of its prototype. */
export function own(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null && has(value, key) ? (value as Record<string, unknown>)[key] : undefined;
}

export function post(url: string, body: string | Uint8Array): Promise<Response> {
  const init = { __proto__: null, method: "POST", body, credentials: "omit" } as RequestInit;
  return apply(fetchNow, window, [url, init]);
}

export function get(url: string): Promise<Response> {
  const init = { __proto__: null, credentials: "omit", cache: "no-store" } as RequestInit;
  return apply(fetchNow, window, [url, init]);
}

export const text = (response: Response): Promise<string> => apply(textOf, response, []);
export const bytes = (response: Response): Promise<ArrayBuffer> => apply(bytesOf, response, []);
export const ok = (response: Response): boolean => (responseOk ? apply(responseOk, response, []) : response.ok);

export function contentType(response: Response): string {
  const headers: Headers = responseHeaders ? apply(responseHeaders, response, []) : response.headers;
  return (apply(headerOf, headers, ["content-type"]) as string | null) ?? "";
}

/** Sends a script message and returns the promise of its answer, or null where there is no such thing. */
export function scriptMessages(): ((text: string) => Promise<string>) | null {
  type Handler = { postMessage(text: string): Promise<string> };
  const handler = (window as unknown as { webkit?: { messageHandlers?: { staysail?: Handler } } }).webkit?.messageHandlers?.staysail;
  if (!handler) return null;
  const { postMessage } = handler;
  return (message) => apply(postMessage, handler, [message]) as Promise<string>;
}

/** Sends a request's head and payload, a text in one piece or several, with its ticket; false when it can not be sent. */
export type PortSend = (ticket: number, head: string, ...payload: (string | Uint8Array)[]) => boolean;
/** Sends with a list of arguments, whatever a list's iterator is by now. */
export const sendAll = (send: PortSend, list: unknown[]): boolean => apply(send, undefined, list as Parameters<PortSend>);
/** Takes an answer; a long text comes as bytes. Ticket 0: the port has ended, and no further answer comes. */
export type PortReceive = (ticket: number, answer: string | ArrayBuffer, is_text?: boolean) => void;
type OpenPort = (label: string, receive: PortReceive) => PortSend | null;

// Taken away before the page's own scripts run, whoever's page it is.
const openPortNow = (globalThis as { __staysail_port?: OpenPort }).__staysail_port;
if (openPortNow) delete (globalThis as { __staysail_port?: OpenPort }).__staysail_port;

/** Opens the port of the web process (`crates/shell/port`), or gives null where there is none. */
export const openPort: OpenPort = (label, receive) => (openPortNow ? openPortNow(label, receive) : null);
