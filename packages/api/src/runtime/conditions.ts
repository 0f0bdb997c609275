/** Values of the page that the update policy asks for: `custom.NAME` in its expressions. */
import type { UpdateCondition, UpdateValue } from "../index";
import * as natives from "./natives";

export class Conditions {
  #of = natives.emptyTable<UpdateCondition>() as Record<string, UpdateCondition>;

  /** In place of the one of this name. */
  add(name: string, condition: UpdateCondition): () => void {
    const key = natives.toText(name);
    this.#of[key] = condition;
    return () => {
      if (this.#of[key] === condition) delete this.#of[key];
    };
  }

  /** What those asked for come to; without those that throw, or give what is no value. */
  values(names: unknown): Record<string, UpdateValue> {
    const values = natives.emptyTable<UpdateValue>() as Record<string, UpdateValue>;
    if (!natives.isArray(names)) return values;
    for (let i = 0; i < names.length; i++) {
      const name = natives.toText(names[i]);
      const condition = this.#of[name];
      if (!condition) continue;
      try {
        const value: unknown = condition();
        const is_number = typeof value === "number" && value - value === 0;
        if (typeof value === "boolean" || typeof value === "string" || is_number) values[name] = value as UpdateValue;
      } catch (reason) {
        reportError(reason);
      }
    }
    return values;
  }
}
