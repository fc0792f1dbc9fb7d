// config.md "POSIX-platform Hooks".
import * as z from "zod/mini";
import { maybeInt32, maybeStrings, type Output, once, string } from "./scalars.ts";

export const HOOK_NAMES = [
  "prestart",
  "createRuntime",
  "createContainer",
  "startContainer",
  "poststart",
  "poststop",
] as const;
export type HookName = (typeof HOOK_NAMES)[number];

const hookSchema = once(() =>
  z.object({
    /** Absolute; in the container for startContainer, else on the host. */
    path: string,
    /** The whole argv, with argv[0]. */
    args: maybeStrings,
    /** The whole environment. */
    env: maybeStrings,
    /** Seconds, greater than 0. */
    timeout: maybeInt32,
  }),
);
export type Hook = Output<ReturnType<typeof hookSchema>>;

const hooks = z.optional(z.array(hookSchema()));
export const hooksSchema = once(() =>
  z.object({
    prestart: hooks,
    createRuntime: hooks,
    createContainer: hooks,
    startContainer: hooks,
    poststart: hooks,
    poststop: hooks,
  }),
);
export type Hooks = Output<ReturnType<typeof hooksSchema>>;
