// runtime.md "State", config-linux.md "The Container Process State".

/** Version of runtime-spec that states and features are written to. */
export const SPEC_VERSION = "1.3.0";

/** `paused` is not in the spec, which allows more; runc, crun and all callers know it. */
export type Status = "creating" | "created" | "running" | "paused" | "stopped";

/** What hooks get on stdin and `state` prints, with more members there. */
export interface State {
  readonly ociVersion: string;
  readonly id: string;
  readonly status: Status;
  /**
   * Pid of the container's process, in the pid namespace of who gets the state: as the host sees it, or as the
   * container does for createContainer and startContainer hooks. Absent (0 in `state`) when stopped.
   */
  readonly pid?: number;
  /** Absolute. */
  readonly bundle: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** What a seccomp agent gets, together with the descriptors. */
export interface ContainerProcessState {
  readonly ociVersion: string;
  /** Names of the descriptors that are passed along: `seccompFd`. */
  readonly fds: readonly string[];
  /** As the runtime sees it. */
  readonly pid: number;
  readonly metadata?: string;
  readonly state: State;
}
