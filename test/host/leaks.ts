// What a call must not leave behind in this process.
import { readdirSync, readFileSync } from "node:fs";

/** Descriptors that are open here. */
export function countDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

/** Children of this process, zombies too. */
export function listChildren(): number[] {
  return readdirSync("/proc/self/task")
    .flatMap((task) => readFileSync(`/proc/self/task/${task}/children`, "utf8").trim().split(" "))
    .filter((pid) => pid !== "")
    .map(Number);
}

/** Waits until a condition holds; fails after five seconds. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  for (const end = Date.now() + 5000; !holds(); await Bun.sleep(10))
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
}
