// config.md "Root" and "Mounts".
import * as z from "zod/mini";
import { idMappings } from "./namespaces.ts";
import { chapter, maybeBoolean, maybeStrings, maybeText, type Output, string } from "./scalars.ts";

export const rootSchema = z.object({
  /** Absolute, or relative to the bundle. */
  path: string,
  readonly: maybeBoolean,
});
export type Root = Output<typeof rootSchema>;

const mountSchema = z.object({
  /** Path in the container; a relative one counts from `/`. */
  destination: string,
  type: maybeText,
  /** For bind mounts absolute, or relative to the bundle. */
  source: maybeText,
  options: maybeStrings,
  uidMappings: chapter(idMappings),
  gidMappings: chapter(idMappings),
});
export type Mount = Output<typeof mountSchema>;

export const mountsSchema = z.array(mountSchema);
