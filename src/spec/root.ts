// config.md "Root" and "Mounts".
import * as z from "zod/mini";
import { idMappings } from "./namespaces.ts";
import { boolean, type Output, optionalText, string, strings } from "./scalars.ts";

export const rootSchema = z.object({
  /** Absolute, or relative to the bundle. */
  path: string,
  readonly: z.optional(boolean),
});
export type Root = Output<typeof rootSchema>;

const mountSchema = z.object({
  /** Path in the container; a relative one counts from `/`. */
  destination: string,
  type: optionalText,
  /** For bind mounts absolute, or relative to the bundle. */
  source: optionalText,
  options: z.optional(strings),
  uidMappings: z.optional(idMappings),
  gidMappings: z.optional(idMappings),
});
export type Mount = Output<typeof mountSchema>;

export const mountsSchema = z.array(mountSchema);
