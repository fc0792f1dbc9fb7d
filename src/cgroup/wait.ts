// Waiting for the kernel, which tells of none of what is waited for here by an event of all versions.

/** Blocks for a time in milliseconds. */
export function sleep(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

/**
 * Asks until the answer is yes or `timeoutMs` are over, at first every millisecond and later every 20; false if
 * the time is over. Asks once at least.
 */
export function waitUntil(isDone: () => boolean, timeoutMs: number): boolean {
  const end = performance.now() + timeoutMs;
  for (let pause = 1; ; pause = Math.min(pause * 2, 20)) {
    if (isDone()) return true;
    if (performance.now() >= end) return false;
    sleep(pause);
  }
}
