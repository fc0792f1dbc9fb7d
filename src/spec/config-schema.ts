// config.md: the whole of config.json. `vm`, `windows`, `solaris`, `freebsd` and `zos` are other platforms' and
// ignored like any unknown member.
import * as z from "zod/mini";
import { hooksSchema } from "./hooks.ts";
import { linuxSchema } from "./linux.ts";
import { processSchema } from "./process.ts";
import { mountsSchema, rootSchema } from "./root.ts";
import { chapter, maybeStringMap, maybeText, type Output, string } from "./scalars.ts";

export const configSchema = z.object({
  ociVersion: string,
  root: rootSchema,
  hostname: maybeText,
  domainname: maybeText,
  mounts: z.optional(mountsSchema),
  /** Needed to start the container. */
  process: z.optional(processSchema),
  hooks: chapter(hooksSchema),
  linux: z.optional(linuxSchema),
  /** Has no prototype. */
  annotations: maybeStringMap,
});
export type Config = Output<typeof configSchema>;
