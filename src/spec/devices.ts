// config-linux.md "Devices" (the nodes; the allowed device list is in resources.ts).
import * as z from "zod/mini";
import { choice, maybeId, maybeInt64, type Output, once, range, string } from "./scalars.ts";

const deviceSchema = once(() =>
  z.object({
    /** Character, block, character (unbuffered), named pipe: mknod(1). */
    type: choice(["c", "b", "u", "p"]),
    path: string,
    /** Both are required unless `type` is `p`. */
    major: maybeInt64,
    minor: maybeInt64,
    /** Mode bits; callers may leave the file type's bits in (Go's FileMode): take `fileMode & 0o7777`. */
    fileMode: z.optional(range(0, 0o177777)),
    uid: maybeId,
    gid: maybeId,
  }),
);
export type LinuxDevice = Output<ReturnType<typeof deviceSchema>>;
export const devicesSchema = once(() => z.array(deviceSchema()));
