/**
 * What goes to the shell as JSON, whatever a script has put on the prototypes that all values share.
 *
 * `JSON.stringify` asks every object for `toJSON`, along its prototypes: one on `Object.prototype` would change the
 * arguments of every call, unseen. So as long as there is none, which is cheap to see, the browser's own function writes;
 * otherwise this does, and asks for `toJSON` only below those prototypes. That of a class, and that which a page gives to
 * `BigInt.prototype`, count as ever.
 */
import * as natives from "./natives";

const { getPrototypeOf, hasOwn, keys } = Object;
const { apply, get } = Reflect;
const objects = Object.prototype;
const lists = Array.prototype;
const strings = String.prototype;
const numbers = Number.prototype;
const booleans = Boolean.prototype;
const bigints = BigInt.prototype;
const unwrap = [strings.valueOf, numbers.valueOf, booleans.valueOf] as const;

/**
 * Whether `JSON.stringify` would ask nobody but the values themselves. `in` runs no getter; a proxy put between the
 * prototypes, which could lie, is seen by its place.
 */
function isClean(): boolean {
  return (
    getPrototypeOf(lists) === objects &&
    getPrototypeOf(strings) === objects &&
    getPrototypeOf(numbers) === objects &&
    getPrototypeOf(booleans) === objects &&
    !("toJSON" in lists) &&
    !("toJSON" in strings) &&
    !("toJSON" in numbers) &&
    !("toJSON" in booleans)
  );
}

/** A value as JSON; undefined for what JSON leaves out. Throws for circles and for a BigInt nobody turns into a text. */
export function toJson(value: unknown): string | undefined {
  return isClean() ? natives.stringify(value) : write(value, "", null);
}

/** The objects around a value, for circles. */
interface Around {
  readonly value: object;
  readonly next: Around | null;
}

function write(given: unknown, key: string, around: Around | null): string | undefined {
  let value = given;
  const convert = converter(value);
  if (typeof convert === "function") value = apply(convert as () => unknown, value, [key]);
  value = plain(value);
  if (typeof value === "bigint") throw new TypeError("JSON can not hold a BigInt");
  if (typeof value === "function" || typeof value === "symbol") return undefined;
  // Of these the browser asks nothing but the value.
  if (typeof value !== "object" || value === null) return natives.stringify(value);
  for (let outer = around; outer; outer = outer.next) {
    if (outer.value === value) throw new TypeError("JSON can not hold a value that is part of itself");
  }
  const inside = { value, next: around };
  let text = "";
  if (natives.isArray(value)) {
    for (let i = 0; i < value.length; i++) text += `${i === 0 ? "" : ","}${write(value[i], natives.toText(i), inside) ?? "null"}`;
    return `[${text}]`;
  }
  const names = keys(value);
  for (let i = 0; i < names.length; i++) {
    const name = names[i]!;
    const item = write((value as Record<string, unknown>)[name], name, inside);
    if (item !== undefined) text += `${text === "" ? "" : ","}${natives.stringify(name)}:${item}`;
  }
  return `{${text}}`;
}

/** The value's own `toJSON`, or its class's. */
function converter(value: unknown): unknown {
  let at: object | null;
  if (typeof value === "bigint") at = bigints;
  else if ((typeof value === "object" && value !== null) || typeof value === "function") at = value;
  else return undefined;
  for (; at !== null; at = getPrototypeOf(at) as object | null) {
    if (at === objects || at === lists || at === strings || at === numbers || at === booleans) return undefined;
    if (hasOwn(at, "toJSON")) return get(at, "toJSON", value);
  }
  return undefined;
}

/** Text, number and truth value out of their objects. */
function plain(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  for (let i = 0; i < unwrap.length; i++) {
    try {
      return apply(unwrap[i]!, value, []);
    } catch {
      // It is none of these.
    }
  }
  return value;
}
