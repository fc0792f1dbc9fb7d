import type { Libc } from "../../native-bindings/libc.ts";

/** Waits for readiness of descriptors on one thread, without blocking the event loop. */
export interface Poller {
  /** `events`: POLLIN 1, POLLOUT 4. Calls back while ready, until stopped. */
  watch(fd: number, events: number, ready: (revents: number) => void): Watch;
  close(): void;
}

export interface Watch {
  set(events: number): void;
  stop(): void;
}

export function openPoller(_libc: Libc): Poller {
  throw new Error("in work");
}
