/** The server's time in the browser: the page carries the instant at which it was made. */

let offset: number | undefined;

/** Milliseconds since 1970 by the server's clock, from the page's `data-now`; the own clock where there is none. */
export function serverNow(): number {
  if (offset === undefined) {
    const carrier = document.querySelector<HTMLElement>("[data-now]");
    const made = Date.parse(carrier?.dataset["now"] ?? "");
    // responseStart is when the page's first byte came; the page was made just before.
    const [navigation] = performance.getEntriesByType("navigation") as PerformanceNavigationTiming[];
    const arrived = performance.timeOrigin + (navigation?.responseStart ?? 0);
    offset = Number.isNaN(made) ? 0 : made - arrived;
  }
  return Date.now() + offset;
}

/** A later, better measure, such as from an event that carries the server's time. */
export function serverTimeIs(instant: number): void {
  offset = instant - Date.now();
}
