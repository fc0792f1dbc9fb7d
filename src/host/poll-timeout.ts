// How long poll(2) may wait: its timeout is an int, of milliseconds.

const LONGEST = 2 ** 31 - 1;

/**
 * The milliseconds until a time of `Date.now()`, as far as poll(2) can wait for it: a poll that finds nothing is therefore not
 * the proof that the time has come. -1, which is for ever, without one.
 */
export function limitPoll(deadline: number | undefined): number {
  if (deadline === undefined) return -1;
  return Math.min(Math.max(0, deadline - Date.now()), LONGEST);
}
