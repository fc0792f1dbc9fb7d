// config-linux.md "Network Devices".
import * as z from "zod/mini";
import { maybeText, type Output, once, string } from "./scalars.ts";

/** Keys are names on the host; `name` is the one in the container, the same if absent. */
export const netDevicesSchema = once(() => z.record(string, z.object({ name: maybeText })));
export type NetDevices = Output<ReturnType<typeof netDevicesSchema>>;
