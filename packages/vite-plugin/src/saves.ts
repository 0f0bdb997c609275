/**
 * Saves that Vite's watcher keeps to itself.
 *
 * Vite watches with chokidar, which tells of a change of a file and drops whatever happens to that file in the 50 ms
 * after (paulmillr/chokidar#1455). A formatter's second save, a quick undo, or what an editor writes into the file it has just
 * emptied would never reach the page. So each file is looked at again once chokidar listens to it again, and told of
 * when it is another one by then.
 */
import { statSync } from "node:fs";

/** A little more than the 50 ms for which chokidar ignores a file. */
const LOOK_AGAIN_MILLISECONDS = 60;

/** As much of Vite's watcher as is needed here. */
interface Watcher {
  on(event: "change", heard: (path: string) => void): unknown;
  emit(event: string, ...told: string[]): unknown;
}

/** Tells of every save that `watcher` drops. */
export function tellAll(watcher: Watcher): void {
  const waiting = new Map<string, NodeJS.Timeout>();
  watcher.on("change", (path) => {
    // Read here and now: whatever Vite reads of this change, it reads later.
    const told = state(path);
    clearTimeout(waiting.get(path));
    const look = (): void => {
      waiting.delete(path);
      const now = state(path);
      if (now === null || now === told) return;
      watcher.emit("change", path);
      watcher.emit("all", "change", path);
    };
    waiting.set(path, setTimeout(look, LOOK_AGAIN_MILLISECONDS).unref());
  });
}

/** What tells one content of a file from another one; `null` when there is no file: that chokidar tells always. */
function state(path: string): string | null {
  try {
    const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
    return stats ? `${stats.ino} ${stats.size} ${stats.mtimeNs}` : null;
  } catch {
    return null;
  }
}
