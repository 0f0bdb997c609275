// As `staysail dev` writes it.
export type Hit = { name: string; score: number };

declare module "@staysail/api" {
  interface Commands {
    greet: { args: { name: string }; result: string; error: never };
    search: { args: { query: string; limit?: number }; result: Hit[]; error: string };
    tick: { args: {}; result: null; error: never };
    anything: { args: unknown; result: unknown; error: unknown };
  }
  interface Events {
    "note-saved": { id: number };
  }
}

export {};
