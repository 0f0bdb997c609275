/**
 * A page in a browser tab (`staysail dev --browser`): who it is, and its way to the shell.
 *
 * One WebSocket carries everything: a browser keeps no more than six HTTP connections to a host, over all tabs, and each
 * page has a request waiting for events all the time. A request is `ticket\n` and the text or the bytes `bridge.rs`
 * describes; an answer is `ticket\n` and a text, or four bytes of the ticket (little-endian) and raw bytes.
 */
import type { Boot } from "./boot";
import { CallError, errorFrom } from "./call_error";
import * as natives from "./natives";
import type { Done, Failed, Send } from "./transport";

/** Where the tab's name is while its page is exchanged. At other times it is in no storage: a tab that is duplicated is another one. */
const NAME_KEY = "staysail:tab";
const RECONNECT_MS = 1_000;

const Socket = WebSocket;
const { send: sendNow, close: closeNow } = WebSocket.prototype;
const listenNow = EventTarget.prototype.addEventListener;
const dataOf = Object.getOwnPropertyDescriptor(MessageEvent.prototype, "data")?.get;
const sliceBuffer = ArrayBuffer.prototype.slice;
const { apply } = Reflect;
const here = location.origin;

/** The boot record of a page that no shell made: its secret is the name of its tab, which lasts over reloads. */
export function openTab(): Boot {
  let secret: string | null = null;
  try {
    secret = sessionStorage.getItem(NAME_KEY);
    sessionStorage.removeItem(NAME_KEY);
    const name = secret ?? newName();
    addEventListener("pagehide", () => sessionStorage.setItem(NAME_KEY, name));
    secret = name;
  } catch {
    // No storage, no state over a reload.
  }
  return { secret: secret ?? newName(), window: "", native: false, base: here, allowed: [here] };
}

function newName(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

interface Slot {
  done: Done;
  failed: Failed;
}

/** Requests over the tab's socket. `lost` is called when the connection ends; the page loads again when it is back. */
export function makeTabTransport({ base, secret }: Boot, lost: () => void): Send {
  const address = `${base.replace(/^http/, "ws")}/__staysail/socket?tab=${secret}`;
  const encoder = new TextEncoder();
  const encode = encoder.encode.bind(encoder);
  const slots = natives.emptyTable<Slot>();
  let waiting: (string | Uint8Array<ArrayBuffer>)[] = [];
  let socket: WebSocket | null = null;
  let is_open = false;
  let was_open = false;
  let leaving = false;
  const on = (target: EventTarget, type: string, handler: (event: Event) => void): void => apply(listenNow, target, [type, handler]);
  on(window, "pagehide", () => (leaving = true));

  const unreachable = (failed: Failed): void =>
    failed(new CallError("Internal", "`staysail dev` could not be reached: is it still running?"), true);

  const receive = (data: unknown): void => {
    if (typeof data === "string") {
      let end = 0;
      while (end < data.length && data[end] !== "\n") end++;
      settle(natives.toNumber(natives.slice(data, 0, end)), natives.slice(data, end + 1));
    } else if (natives.isBuffer(data)) {
      const head = natives.asBytes(data)!;
      const ticket = head[0]! + head[1]! * 0x100 + head[2]! * 0x1_0000 + head[3]! * 0x100_0000;
      settle(ticket, apply(sliceBuffer, data, [4]));
    }
  };

  const settle = (ticket: number, answer: string | ArrayBuffer): void => {
    const slot = slots[ticket];
    if (!slot) return;
    delete slots[ticket];
    if (typeof answer !== "string") return slot.done(answer);
    const rest = natives.slice(answer, 1);
    let value: unknown;
    try {
      value = natives.parse(rest);
    } catch {
      return slot.failed(new CallError("BadMessage", "the shell's answer is no JSON"), false);
    }
    if (answer[0] === "+") slot.done(value);
    else slot.failed(errorFrom(value), false);
  };

  const connect = (): void => {
    const now = new Socket(address);
    socket = now;
    now.binaryType = "arraybuffer";
    on(now, "message", (event) => receive(dataOf ? apply(dataOf, event, []) : (event as MessageEvent).data));
    on(now, "open", () => {
      is_open = was_open = true;
      const texts = waiting;
      waiting = [];
      for (let i = 0; i < texts.length; i++) apply(sendNow, now, [texts[i]!]);
    });
    on(now, "close", () => {
      socket = null;
      is_open = false;
      waiting = [];
      for (const ticket in slots) {
        const slot = slots[ticket];
        delete slots[ticket];
        if (slot) unreachable(slot.failed);
      }
      if (!was_open || leaving) return;
      lost();
      natives.later(again, RECONNECT_MS);
    });
  };

  // Whoever answers now knows nothing of this page load: it begins anew.
  const again = (): void => {
    const now = new Socket(address);
    on(now, "open", () => {
      apply(closeNow, now, []);
      location.reload();
    });
    on(now, "error", () => natives.later(again, RECONNECT_MS));
  };

  let tickets = 0;
  return (head, payload, done, failed) => {
    if (was_open && !is_open) return unreachable(failed);
    const ticket = ++tickets;
    slots[ticket] = { done, failed };
    let message: string | Uint8Array<ArrayBuffer>;
    if (typeof payload === "string") {
      message = `${ticket}\n${head}${payload === "" ? "" : "\n"}${payload}`;
    } else {
      const start = encode(`${ticket}\n${head}\n`);
      const length = natives.sizeOf(start);
      message = natives.makeBytes(length + natives.sizeOf(payload));
      natives.copyInto(message, start, 0);
      natives.copyInto(message, payload, length);
    }
    if (!socket) connect();
    if (is_open && socket) apply(sendNow, socket, [message]);
    else natives.put(waiting, waiting.length, message);
  };
}
