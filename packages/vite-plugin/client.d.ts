/// <reference types="vite/client" />

interface ImportMetaEnv {
  /** Which section of staysail.toml is in use. */
  readonly STAYSAIL_MODE: "debug" | "production";
  /** The app's identifier. */
  readonly STAYSAIL_APP: string;
  /** The app's version. */
  readonly STAYSAIL_VERSION: string;
}

declare module "virtual:staysail" {
  import type { CallOptions, Commands, Events } from "@staysail/api";

  type Arguments<Args> = {} extends Args ? [args?: Args, options?: CallOptions] : [args: Args, options?: CallOptions];

  /** The backend's commands as functions: `commands.greet({ name })` is `invoke("greet", { name })`. */
  export const commands: {
    readonly [Name in keyof Commands]: (
      ...rest: Arguments<Commands[Name] extends { args: infer Args } ? Args : never>
    ) => Promise<Commands[Name] extends { result: infer Result } ? Result : never>;
  };
  /** Names of the backend's events. */
  export const events: readonly (keyof Events)[];
  /** Which section of staysail.toml is in use. */
  export const mode: "debug" | "production";
  /** The constants of that section. */
  export const constants: Readonly<Record<string, unknown>>;
}
