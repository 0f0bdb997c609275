interface Hot {
    on(event: string, handler: (payload: never) => void): void;
    send(event: string): void;
}
/** Vite's element, or none where it is switched off. */
type Overlay = new (error: object) => HTMLElement;
export declare function start(hot: Hot, ErrorOverlay: Overlay | undefined): void;
export {};
