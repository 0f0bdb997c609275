/**
 * One page load's talk with the shell: hello, calls, the waiting request for events.
 *
 * Whatever the page wants before the shell has answered hello waits here. A request is sent once and never
 * again: the page does not retry.
 */
import type { CallOptions, StreamHandle } from "../index";
import { CallError, errorFrom } from "./call_error";
import { toJson } from "./json";
import * as natives from "./natives";
import type { Done, Failed, Send } from "./transport";

const HELLO_ATTEMPTS_MAX = 20;
const BACK_OFF_MS = 50;
const BACK_OFF_MAX_MS = 1_000;

type Head = Record<string, string | number | boolean>;
interface Waiting {
  head: Head;
  payload: string | Uint8Array;
  done: Done;
  failed: Failed;
  given_up: boolean;
}

interface Stream {
  receive: (message: unknown) => unknown;
  closed: (error: CallError | null) => void;
  handed_over: boolean;
}

export class Session {
  #send: Send;
  #key = "";
  #queue: Waiting[] = [];
  #closed = false;
  #broken: CallError | null = null;
  #calls = 0;
  #streams = 0;
  /** Streams that were met while the arguments of a call were written. */
  #met: number[] = [];
  #open = natives.emptyTable<Stream>();
  #under_way = 0;
  #when_idle: (() => void) | null = null;

  constructor(send: Send) {
    this.#send = send;
  }

  /** Says hello until the shell answers, then lets everything through that waits. */
  hello(secret: string, welcomed: (welcome: unknown) => void, refused: (error: CallError) => void, attempt = 1): void {
    this.#send(
      line(secret, { t: "hello" }),
      "",
      (welcome) => {
        this.#key = natives.toText(natives.own(welcome, "key"));
        welcomed(welcome);
        this.#flush();
      },
      (error, unreachable) => {
        if (unreachable && attempt < HELLO_ATTEMPTS_MAX) {
          natives.later(() => this.hello(secret, welcomed, refused, attempt + 1), backOff(attempt));
          return;
        }
        this.#broken = error;
        refused(error);
        const queue = this.#queue;
        this.#queue = [];
        for (let i = 0; i < queue.length; i++) queue[i]!.failed(error, false);
      },
    );
  }

  /** Sends a request, or lets it wait for hello and for the end of a reload. */
  request(head: Head, payload: string | Uint8Array, done: Done = ignore, failed: Failed = ignore): Waiting {
    const waiting = { head, payload, done, failed, given_up: false };
    if (this.#broken) failed(this.#broken, false);
    else if (this.#key === "" || this.#closed) natives.put(this.#queue, this.#queue.length, waiting);
    else this.#pass(waiting);
    return waiting;
  }

  /** As `request`, but also while the gate is closed for a reload. */
  urgent(head: Head, payload: string, done: Done = ignore, failed: Failed = ignore): void {
    if (this.#key === "") failed(new CallError("Internal", "the shell has not answered yet"), true);
    else this.#send(line(this.#key, head), payload, done, failed);
  }

  call(command: string, args: unknown, options?: CallOptions): Promise<unknown> {
    return new natives.NativePromise((resolve, reject) => {
      // Own properties: what a script has put on `Object.prototype` is no option of this call.
      const signal = (natives.own(options, "signal") ?? null) as AbortSignal | null;
      const timeout = natives.own(options, "timeout") as number | undefined;
      if (signal?.aborted) return reject(cancelled(command));
      const number = ++this.#calls;
      const raw = natives.asBytes(args);
      const c = natives.toText(command);
      let head: Head;
      let payload: string | Uint8Array;
      let streams: number[] = [];
      try {
        this.#met = [];
        payload = raw ?? toJson(args ?? {}) ?? "{}";
        streams = this.#met;
        // Written as literals: an assignment would ask the page's setters on `Object.prototype`.
        head =
          streams.length > 0 ? { t: "call", i: number, c, ch: natives.joined(streams) }
          : raw ? { t: "call", i: number, c, raw: true }
          : { t: "call", i: number, c };
      } catch (reason) {
        return reject(new CallError("InvalidArguments", `the arguments of \`${command}\` can not be written as JSON: ${String(reason)}`));
      }
      let timer: number | undefined;
      let open = true;
      const close = (): boolean => {
        if (!open) return false;
        open = false;
        natives.unlater(timer);
        signal?.removeEventListener("abort", abort);
        return true;
      };
      const giveUp = (error: CallError): void => {
        if (!close()) return;
        if (waiting.given_up === false && this.#waits(waiting)) waiting.given_up = true;
        else this.request({ t: "cancel", i: number }, "");
        reject(error);
      };
      const abort = (): void => giveUp(cancelled(command));
      const waiting = this.request(
        head,
        payload,
        (value) => {
          if (close()) resolve(value);
        },
        (error) => {
          // What the command never got, or got and failed with, has nobody at its other end.
          for (let i = 0; i < streams.length; i++) this.#end(streams[i]!, error);
          if (close()) reject(error);
        },
      );
      for (let i = 0; i < streams.length; i++) this.#pull(streams[i]!);
      if (!open) return;
      signal?.addEventListener("abort", abort);
      if (timeout !== undefined && timeout < Infinity) {
        timer = natives.later(
          () => giveUp(new CallError("Timeout", `\`${command}\` was not answered within ${timeout} ms`)),
          timeout,
        );
      }
    });
  }

  /** Makes a stream. `receive` gets its messages one after the other: what it returns is waited for. */
  stream(receive: (message: unknown) => unknown, closed: (error: CallError | null) => void): StreamHandle {
    const number = ++this.#streams;
    this.#open[number] = { receive, closed, handed_over: false };
    return {
      handOver: () => {
        const stream = this.#open[number];
        if (!stream || stream.handed_over) throw new CallError("InvalidArguments", "a stream belongs to one call; make a new one");
        stream.handed_over = true;
        natives.put(this.#met, this.#met.length, number);
        return number;
      },
      send: (message) =>
        new natives.NativePromise((resolve, reject) => {
          const raw = natives.asBytes(message);
          const head: Head = raw ? { t: "push", ch: number, raw: true } : { t: "push", ch: number };
          this.request(head, raw ?? toJson(message) ?? "null", () => resolve(), reject);
        }),
      end: () => void this.request({ t: "push", ch: number, end: true }, ""),
      drop: () => {
        if (this.#open[number]?.handed_over) this.request({ t: "drop", ch: number }, "");
        this.#end(number, null);
      },
    };
  }

  #pull(number: number): void {
    this.request(
      { t: "pull", ch: number },
      "",
      (answer) => {
        const stream = this.#open[number];
        if (!stream) return;
        if (natives.isArray(answer)) return this.#deal(number, stream, answer, 0);
        if (natives.isBuffer(answer)) return this.#deal(number, stream, [answer], 0);
        const error = natives.own(answer, "closed") ?? null;
        this.#end(number, error === null ? null : errorFrom(error));
      },
      (error) => this.#end(number, error),
    );
  }

  /** Hands messages over one after the other, then asks for more: a slow page is sent no more than it can take. */
  #deal(number: number, stream: Stream, messages: unknown[], from: number): void {
    for (let i = from; i < messages.length; i++) {
      if (this.#open[number] !== stream) return;
      let result: unknown;
      try {
        result = stream.receive(messages[i]);
      } catch (reason) {
        reportError(reason);
      }
      if (result instanceof natives.NativePromise) {
        const on = (): void => this.#deal(number, stream, messages, i + 1);
        return natives.settle(result, on, (reason) => {
          reportError(reason);
          on();
        });
      }
    }
    this.#pull(number);
  }

  #end(number: number, error: CallError | null): void {
    const stream = this.#open[number];
    if (!stream) return;
    delete this.#open[number];
    stream.closed(error);
  }

  /** Keeps one request for events waiting at the shell, for ever. */
  listen(deliver: (events: unknown) => void, failures = 0): void {
    this.urgent(
      { t: "next" },
      "",
      (events) => {
        this.listen(deliver);
        deliver(events);
      },
      () => natives.later(() => this.listen(deliver, failures + 1), backOff(failures + 1)),
    );
  }

  /** Holds new requests back, then calls `then` as soon as none is under way, at the latest after `ms`. */
  drain(ms: number, then: () => void): void {
    this.#closed = true;
    let over = false;
    const end = (): void => {
      if (over) return;
      over = true;
      this.#when_idle = null;
      natives.unlater(timer);
      then();
    };
    const timer = natives.later(end, ms);
    this.#when_idle = end;
    if (this.#under_way === 0) end();
  }

  /** Lets everything through again: the reload did not come. */
  resume(): void {
    this.#closed = false;
    this.#flush();
  }

  #flush(): void {
    if (this.#closed) return;
    const queue = this.#queue;
    this.#queue = [];
    for (let i = 0; i < queue.length; i++) this.#pass(queue[i]!);
  }

  /** Whether a request waits here; `includes` could be the page's own by now, and would see it. */
  #waits(waiting: Waiting): boolean {
    for (let i = 0; i < this.#queue.length; i++) if (this.#queue[i] === waiting) return true;
    return false;
  }

  #pass(waiting: Waiting): void {
    if (waiting.given_up) return;
    const counted = waiting.head["t"] === "call";
    if (counted) this.#under_way += 1;
    const over = (): void => {
      if (!counted) return;
      this.#under_way -= 1;
      if (this.#under_way === 0) this.#when_idle?.();
    };
    this.#send(
      line(this.#key, waiting.head),
      waiting.payload,
      (value) => {
        waiting.done(value);
        over();
      },
      (error, unreachable) => {
        waiting.failed(error, unreachable);
        over();
      },
    );
  }
}

/** Written by hand: `JSON.stringify` of an object would ask the page's `Object.prototype.toJSON`, key and all. */
function line(key: string, head: Head): string {
  let text = `{"k":${natives.stringify(key)}`;
  for (const name in head) {
    if (natives.has(head, name)) text += `,"${name}":${natives.stringify(head[name])}`;
  }
  return text + "}";
}

const cancelled = (command: string): CallError => new CallError("Cancelled", `the call of \`${command}\` was cancelled by the page`);
const backOff = (attempt: number): number => Math.min(BACK_OFF_MS * 2 ** (attempt - 1), BACK_OFF_MAX_MS);
const ignore = (): void => {};
