/** Names of fields: pages write `alwaysOnTop`, the shell writes `always_on_top`. */

/** As the shell spells it. */
export function spelled(options: object): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(options)) {
    out[name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)] = value;
  }
  return out;
}

/** As pages spell it. */
export function unspelled<T>(answer: object): T {
  const out: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(answer)) {
    out[name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())] = value;
  }
  return out as T;
}
