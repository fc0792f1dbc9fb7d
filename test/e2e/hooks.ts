// What the tests of hooks share.
import type { Config, Hook } from "./config.ts";

/** In the order in which they run. */
export const kinds = [
  "prestart",
  "createRuntime",
  "createContainer",
  "startContainer",
  "poststart",
  "poststop",
] as const;
export type Kind = (typeof kinds)[number];

/** A hook that runs a shell script; the path is valid on the host and in the container alike. */
export const sh = (script: string, more: Partial<Hook> = {}): Hook => ({
  path: "/bin/sh",
  args: ["sh", "-c", script],
  ...more,
});

export const setHooks = (config: Config, hooks: Partial<Record<Kind, Hook[]>>): void => {
  config.hooks = hooks as Record<string, Hook[]>;
};
