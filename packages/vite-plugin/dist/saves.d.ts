/** As much of Vite's watcher as is needed here. */
interface Watcher {
    on(event: "change", heard: (path: string) => void): unknown;
    emit(event: string, ...told: string[]): unknown;
}
/** Tells of every save that `watcher` drops. */
export declare function tellAll(watcher: Watcher): void;
export {};
