/** What a person has really heard of a recording, as merged [from, to] intervals in milliseconds. */

export type Interval = [number, number];

export const FASTEST = 1.5;
/** Two reports of the position this much further apart than the wall clock says are a jump, not listening. */
const SLACK_MS = 400;

export function merged(intervals: Interval[]): Interval[] {
  const result: Interval[] = [];
  for (const [from, to] of [...intervals].sort(([a], [b]) => a - b)) {
    const last = result[result.length - 1];
    if (last && from <= last[1]) last[1] = Math.max(last[1], to);
    else if (to > from) result.push([from, to]);
  }
  return result;
}

export function total(intervals: Interval[]): number {
  return merged(intervals).reduce((sum, [from, to]) => sum + to - from, 0);
}

export function covers(intervals: Interval[], at: number): boolean {
  return intervals.some(([from, to]) => from <= at && at < to);
}

/** Follows the positions of a player; a jump, a pause, silence or too fast a speed ends an interval. */
export class Listening {
  #from: number | undefined;
  #last = 0;
  #at = 0;
  #done: Interval[] = [];

  /** The player is at `position` ms at wall time `now` ms, and this stretch is audible at `rate`. */
  hear(position: number, now: number, rate: number): void {
    if (rate > FASTEST) return this.rest();
    const moved = position - this.#last;
    const possible = (now - this.#at) * rate + SLACK_MS;
    if (this.#from === undefined) this.#from = position;
    else if (moved < 0 || moved > possible) {
      this.rest();
      this.#from = position;
    }
    this.#last = position;
    this.#at = now;
  }

  rest(): void {
    if (this.#from !== undefined && this.#last > this.#from) this.#done.push([Math.floor(this.#from), Math.ceil(this.#last)]);
    this.#from = undefined;
  }

  /** What was heard since the last time; the stretch that goes on is cut here and goes on. */
  take(): Interval[] {
    const going = this.#from !== undefined;
    this.rest();
    if (going) this.#from = this.#last;
    const taken = merged(this.#done);
    this.#done = [];
    return taken;
  }

  giveBack(intervals: Interval[]): void {
    this.#done.push(...intervals);
  }
}
