/** `@staysail/api/test`: drives an app in its real window, for tests run by `staysail test`. */

/** How to open. */
export interface OpenOptions {
  /** Milliseconds whatever is waited for may take; 10 000 by default. */
  timeout?: number;
  /** The project's folder; the one `staysail test` runs in by default. */
  project?: string;
}

/** The context of a test of `node:test`. */
export interface TestContext {
  readonly name: string;
  after(action: () => unknown): void;
}

/**
 * Opens the app in its window, with data of its own. With the context of a test the app is closed when the test ends, and a
 * test that failed leaves a picture of the page.
 */
export function openApp(t?: TestContext, options?: OpenOptions): Promise<App>;
export function openApp(options?: OpenOptions): Promise<App>;

/** A step that failed. */
export class DriverError extends Error {
  /** In an error of a call: its code. */
  code?: string;
}

/** A line of the page's own. */
export interface PageError {
  kind: string;
  level: string;
  message: string;
  place: string;
}

/** An app in its window. A selector is a CSS selector, or `text=` and the text of an element. */
export interface App {
  readonly isOpen: boolean;
  /** What page and backend have written so far. */
  readonly output: string[];
  /** Errors of the page so far. */
  readonly errors: PageError[];
  /** Waits for the first element that matches. */
  find(selector: string): Promise<Element>;
  /** All elements that match now. */
  findAll(selector: string): Promise<Element[]>;
  click(selector: string): Promise<void>;
  /** Types behind what is there. */
  type(selector: string, text: string): Promise<void>;
  /** Types in place of what is there. */
  fill(selector: string, text: string): Promise<void>;
  /** The text of an element as it is shown. */
  text(selector: string): Promise<string>;
  /** Presses a key, or several together: `Enter`, `Control+a`. */
  press(keys: string): Promise<void>;
  /** Runs a function in the page and brings what it returns or resolves to. It sees nothing of the test around it. */
  evaluate<A extends unknown[], R>(action: (...args: A) => R | Promise<R>, ...args: A): Promise<R>;
  evaluate(action: string): Promise<unknown>;
  /** Calls a command of the backend, as the page does. */
  invoke(command: string, args?: object): Promise<unknown>;
  /** Waits for an element. */
  waitFor(selector: string): Promise<Element>;
  /** Waits until a function returns something true in the page; returns that. */
  waitFor<A extends unknown[], R>(condition: (...args: A) => R | Promise<R>, ...args: A): Promise<R>;
  /** Waits until the page shows this text. */
  waitForText(text: string): Promise<void>;
  title(): Promise<string>;
  /** A picture of the page, PNG; written to `path` when one is given. */
  screenshot(path?: string): Promise<Uint8Array>;
  /** One request to the driver, for what has no word here: path below the session, and body. */
  webdriver(method: "GET" | "POST" | "DELETE", path: string, body?: object): Promise<unknown>;
  close(): Promise<void>;
}

/** An element of the page. Its actions wait until they can be done. */
export interface Element {
  click(): Promise<void>;
  type(text: string): Promise<void>;
  fill(text: string): Promise<void>;
  text(): Promise<string>;
  /** The content of a field. */
  value(): Promise<string>;
  /** An attribute; null when there is none. */
  attribute(name: string): Promise<string | null>;
  isShown(): Promise<boolean>;
}
