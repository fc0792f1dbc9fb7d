// Holds a container's lock for a time in milliseconds: bun lock-holder.ts ROOT ID MS
import { withContainerLock } from "../../../src/container/lock.ts";

const [root = "", id = "", ms = "0"] = process.argv.slice(2);
await withContainerLock({ root }, id, async () => {
  process.stdout.write("held\n");
  await new Promise((resolve) => setTimeout(resolve, Number(ms)));
});
process.stdout.write("released\n");
