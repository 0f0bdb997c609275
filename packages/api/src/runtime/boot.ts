/** What the shell hands to the start script. The script is the body of a function whose argument is `boot`. */
export interface Boot {
  /** Proves to the shell that the start script speaks, not the page. Never leaves this closure. */
  readonly secret: string;
  /** Label of the window. */
  readonly window: string;
  /** Whether script messages with reply are available. */
  readonly native: boolean;
  /** The app's own origin. */
  readonly base: string;
  /** Origins whose pages may call. */
  readonly allowed: readonly string[];
}

declare global {
  /** Whether the page is in a browser tab rather than in a window; a constant of the build. */
  const IN_TAB: boolean;
  /** Argument of the function that `scripts/build.mjs` wraps around the bundle. */
  const boot: Boot;
}
