/**
 * Asset groups: files of the page that are not shipped with the app (`[assets.groups]` in `staysail.toml`). The page asks
 * for them by their addresses as for any other file; the first time they are fetched, from then on they are there. Here a
 * whole group is fetched, with progress, and asked about. No capability is needed.
 */
import { CallError, listen, type Runtime, type Unlisten } from "./index";
import { unspelled } from "./spelling";

const runtime = (globalThis as { __STAYSAIL__?: Runtime }).__STAYSAIL__;

const request = (operation: string, args?: object): Promise<never> =>
  runtime
    ? (runtime.desktop(`assets.${operation}`, args) as Promise<never>)
    : Promise.reject(new CallError("NoShell", "this page is not shown in a window of Staysail, which would do that"));

/** How a group is on this machine. */
export interface AssetGroupState {
  group: string;
  /** `ready`: everything is there, also offline; `partial`: something; `absent`: nothing. */
  state: "ready" | "partial" | "absent";
  files: number;
  /** Bytes of all its files. */
  bytes: number;
  /** Bytes that would have to be fetched, compressed. */
  missingBytes: number;
}

/** A group is being fetched as a whole, whoever asked for it: event `staysail:assets`. */
export interface AssetsEvent {
  group: string;
  /** Compressed bytes that have come so far, of those that were missing when it began. */
  bytes: number;
  /** Compressed bytes that were missing. */
  total: number;
}

/**
 * Why a file of a group can not be had. `offline`: the repository does not answer; `missing`: it has no such file;
 * `damaged`: what came is not what was released; `disk`: there is no place to keep it.
 */
export type AssetFault = "offline" | "missing" | "damaged" | "disk";

/**
 * What {@link assets} are rejected with when a file can not be had. The answer to an address has the same in its JSON body,
 * the status 503, 404 or 502, and the reason in the header `staysail-asset-reason`.
 */
export type AssetUnavailable = CallError & {
  readonly code: "AssetUnavailable";
  readonly details: { group: string; path: string; reason: AssetFault };
};

/**
 * Whether an error says why a file of a group can not be had.
 *
 * ```ts
 * try {
 *   await assets.fetch("maps", { onProgress: ({ bytes, total }) => (bar.value = bytes / total) });
 * } catch (error) {
 *   if (isAssetUnavailable(error) && error.details.reason === "offline") return showThatWeAreOffline();
 *   throw error;
 * }
 * ```
 */
export function isAssetUnavailable(error: unknown): error is AssetUnavailable {
  return error instanceof CallError && error.code === "AssetUnavailable";
}

/** How to fetch a group. */
export interface FetchAssetsOptions {
  onProgress?: (progress: AssetsEvent) => void;
  /** Rejects with `Cancelled` at once; files under way are still fetched, no further ones. */
  signal?: AbortSignal | null;
}

let requests = 0;

async function fetchGroup(group: string, options: FetchAssetsOptions = {}): Promise<AssetGroupState> {
  const { onProgress, signal } = options;
  const cancelled = () => new CallError("Cancelled", `fetching \`${group}\` was cancelled`);
  if (signal?.aborted) throw cancelled();
  // Several copies of this module may be in one page.
  const id = Date.now() * 1000 + (requests++ % 1000);
  let last: AssetsEvent | undefined;
  const unlisten = onProgress
    ? listen("staysail:assets", (event) => {
        if (event.group !== group) return;
        last = event;
        onProgress(event);
      })
    : () => {};
  let abort = () => {};
  try {
    const aborted = new Promise<never>((_, reject) => {
      abort = () => {
        request("cancel", { id }).catch(() => {});
        reject(cancelled());
      };
      signal?.addEventListener("abort", abort, { once: true });
    });
    const state = unspelled<AssetGroupState>(await Promise.race([request("fetch", { group, id }) as Promise<object>, aborted]));
    // The answer may overtake the last event.
    if (last && last.bytes < last.total) onProgress?.({ ...last, bytes: last.total });
    return state;
  } finally {
    signal?.removeEventListener("abort", abort);
    unlisten();
  }
}

/** Files of the page that are fetched when they are asked for. */
export const assets = Object.freeze({
  /** Fetches what is missing of a group; resolves when all of it is there. */
  fetch: fetchGroup,
  /** How a group is. */
  state: async (group: string): Promise<AssetGroupState> => unspelled<AssetGroupState>(await request("state", { group })),
  /** How all groups are. */
  list: async (): Promise<AssetGroupState[]> => {
    const groups: object[] = await request("list");
    return groups.map((group) => unspelled<AssetGroupState>(group));
  },
  onEvent: (handler: (event: AssetsEvent) => void): Unlisten => listen("staysail:assets", handler),
});
