/**
 * One request to the shell and its answer, as `crates/protocol/src/bridge.rs` describes them: a line of JSON,
 * a newline, the payload; answered by `+` and JSON, `-` and an error, or `@` and the path and length of a body to pull, piece
 * after piece.
 */
import { CallError, errorFrom } from "./call_error";
import type { Boot } from "./boot";
import * as natives from "./natives";

/** Texts go through the port in pieces of this many characters: WebKit widens each, and small memory is used again. */
const PORT_PIECE_CHARS = 32_768;
/** Without the port: longer texts go by POST (`inline_payload_bytes_max`). */
const INLINE_CHARS_MAX = 8192;
const SPACE = 32;

export type Done = (value: unknown) => void;
export type Failed = (error: CallError, unreachable: boolean) => void;
export type Send = (head: string, payload: string | Uint8Array, done: Done, failed: Failed) => void;

/**
 * The ways to the shell, the first that works: the web process's own port (WebKitGTK), script messages with reply,
 * POST to the app's own origin.
 */
export function makeTransport({ base, native, window: label }: Boot): Send {
  const message = native ? natives.scriptMessages() : null;
  const encoder = new TextEncoder();
  const encode = encoder.encode.bind(encoder);
  const url = base + "/__staysail/call";

  const unreachable = (failed: Failed) => (reason: unknown) =>
    failed(new CallError("Internal", `the shell could not be reached: ${String(reason)}`), true);

  const pull = (rest: string, done: Done, failed: Failed): void => {
    let cut = rest.length - 1;
    while (cut > 0 && natives.unitAt(rest, cut) !== SPACE) cut--;
    const from = base + natives.slice(rest, 0, cut);
    const length = natives.toNumber(natives.slice(rest, cut + 1));
    const lost = (reason: unknown) =>
      failed(new CallError("Internal", `the answer could not be fetched from the shell: ${String(reason)}`), false);
    const take = (whole: ArrayBuffer, is_json: boolean): void =>
      is_json ? accept(() => natives.parse(natives.decode(whole)), done, failed) : done(whole);
    let whole: Uint8Array<ArrayBuffer> | null = null;
    let come = 0;
    const next = (): void => natives.settle(natives.get(from), receive, lost);
    const receive = (response: Response): void => {
      if (!natives.ok(response)) return lost(`HTTP status ${response.status}`);
      const is_json = natives.slice(natives.contentType(response), 0, 16) === "application/json";
      const add = (buffer: ArrayBuffer): void => {
        const piece = natives.asBytes(buffer)!;
        const size = natives.sizeOf(piece);
        if (size === length) return take(buffer, is_json);
        if (size === 0 || come + size > length) return lost(`${come + size} bytes came of ${length}`);
        whole ??= natives.makeBytes(length);
        natives.copyInto(whole, piece, come);
        come += size;
        if (come < length) next();
        else take(natives.bufferOf(whole), is_json);
      };
      natives.settle(natives.bytes(response), add, lost);
    };
    next();
  };

  const answer = (text: string, done: Done, failed: Failed): void => {
    const rest = natives.slice(text, 1);
    if (text[0] === "+") accept(() => natives.parse(rest), done, failed);
    else if (text[0] === "@") pull(rest, done, failed);
    else if (text[0] === "-") accept(() => errorFrom(natives.parse(rest)), (error) => failed(error as CallError, false), failed);
    else failed(new CallError("BadMessage", "the shell's answer could not be read"), true);
  };

  const port = makePort(label, answer);

  return (head, payload, done, failed) => {
    if (port?.(head, payload, done, failed)) return;
    const receive = (text: string): void => answer(text, done, failed);
    try {
      if (typeof payload !== "string") {
        const start = encode(head + "\n");
        const length = natives.sizeOf(start);
        const body = natives.makeBytes(length + natives.sizeOf(payload));
        natives.copyInto(body, start, 0);
        natives.copyInto(body, payload, length);
        natives.settle(natives.post(url, body), (response) => natives.settle(natives.text(response), receive, unreachable(failed)), unreachable(failed));
        return;
      }
      const text = payload === "" ? head : head + "\n" + payload;
      if (message && text.length <= INLINE_CHARS_MAX) {
        natives.settle(message(text), receive, unreachable(failed));
      } else {
        natives.settle(natives.post(url, text), (response) => natives.settle(natives.text(response), receive, unreachable(failed)), unreachable(failed));
      }
    } catch (reason) {
      unreachable(failed)(reason);
    }
  };
}

/** The arguments of `send` for a long text, cut between characters. */
function inPieces(ticket: number, head: string, text: string): unknown[] {
  const list: unknown[] = [ticket, head];
  for (let from = 0; from < text.length; ) {
    let end = from + PORT_PIECE_CHARS;
    const last = natives.unitAt(text, end - 1);
    if (last >= 0xd800 && last < 0xdc00) end -= 1;
    natives.put(list, list.length, natives.slice(text, from, end));
    from = end;
  }
  return list;
}

type Answer = (text: string, done: Done, failed: Failed) => void;
interface Slot {
  done: Done;
  failed: Failed;
}

/** Requests by the port. What it returns says whether it took the request. */
function makePort(label: string, answer: Answer): ((...request: Parameters<Send>) => boolean) | null {
  // A ticket is the number of a slot, used again after its answer. Only plain indices: the page may have changed
  // the methods of arrays.
  const slots: (Slot | null)[] = [null];
  const free: number[] = [];
  let free_count = 0;
  let open = true;

  const receive = (ticket: number, value: string | ArrayBuffer, is_text?: boolean): void => {
    if (ticket === 0) {
      open = false;
      for (let i = 1; i < slots.length; i++) {
        const slot = slots[i];
        slots[i] = null;
        slot?.failed(new CallError("Internal", "the connection to the shell ended"), true);
      }
      return;
    }
    const slot = slots[ticket];
    if (!slot) return;
    slots[ticket] = null;
    natives.put(free, free_count++, ticket);
    if (typeof value === "string") answer(value, slot.done, slot.failed);
    else if (is_text) answer(natives.decode(value), slot.done, slot.failed);
    else slot.done(value);
  };

  const send = natives.openPort(label, receive);
  if (!send) return null;
  return (head, payload, done, failed) => {
    if (!open) return false;
    const ticket = free_count > 0 ? free[--free_count]! : slots.length;
    natives.put(slots, ticket, { done, failed });
    const sent =
      typeof payload === "string" && payload.length > PORT_PIECE_CHARS
        ? natives.sendAll(send, inPieces(ticket, head, payload))
        : send(ticket, head, payload);
    if (!sent) {
      slots[ticket] = null;
      natives.put(free, free_count++, ticket);
    }
    return sent;
  };
}

function accept(read: () => unknown, done: Done, failed: Failed): void {
  let value: unknown;
  try {
    value = read();
  } catch {
    return failed(new CallError("BadMessage", "the shell's answer is no JSON"), false);
  }
  done(value);
}
