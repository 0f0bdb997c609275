/**
 * Who listens to which event. Tables without prototypes and numbers, no `Map` and no array: what a page has put in place
 * of their functions never gets to see, or to replace, a listener of others.
 */
import * as natives from "./natives";

type Handler = (payload: never) => void;

export class Listeners {
  #of = natives.emptyTable<Record<number, Handler>>() as Record<string, Record<number, Handler>>;
  #next = 0;

  /** The same function may listen twice: each time with an end of its own. */
  add(event: string, handler: Handler): () => void {
    const name = natives.toText(event);
    const number = this.#next++;
    (this.#of[name] ??= natives.emptyTable<Handler>())[number] = handler;
    return () => {
      const handlers = this.#of[name];
      if (!handlers) return;
      delete handlers[number];
      for (const _ in handlers) return;
      delete this.#of[name];
    };
  }

  /** Tells those who listen now, in the order they came. One that throws does not keep the others from hearing. */
  tell(event: string, payload: unknown): void {
    const handlers = this.#of[event];
    if (!handlers) return;
    const next = this.#next;
    for (const number in handlers) {
      const handler = handlers[number];
      if (!handler || natives.toNumber(number) >= next) continue;
      try {
        handler(payload as never);
      } catch (reason) {
        reportError(reason);
      }
    }
  }
}
