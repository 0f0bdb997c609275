/** The error a failed call is rejected with. One class for all copies of the library in a page. */
import type { CallError as Shape, ErrorCode } from "../index";
import { own } from "./natives";

export class CallError extends Error implements Shape {
  override readonly name = "CallError";
  readonly code: ErrorCode;
  readonly details: unknown;

  constructor(code: ErrorCode, message: string, details: unknown = null) {
    super(message);
    this.code = code;
    this.details = details;
  }
}

/** From the JSON of a `staysail_protocol::CallError`. */
export function errorFrom(value: unknown): CallError {
  const code = own(value, "code");
  const message = own(value, "message");
  return new CallError(
    (typeof code === "string" ? code : "Internal") as ErrorCode,
    typeof message === "string" ? message : "the shell gave no reason",
    own(value, "details") ?? null,
  );
}
