/** How many greetings there were, in words. */
export function counted(greetings: number): string {
  if (greetings === 0) return "No greetings yet";
  return greetings === 1 ? "1 greeting" : `${greetings} greetings`;
}

/** Hundredths of the boat's way as the style sheet wants them: from 0 to 1. */
export function wayOf(hundredths: number): number {
  return Math.min(100, Math.max(0, hundredths)) / 100;
}
