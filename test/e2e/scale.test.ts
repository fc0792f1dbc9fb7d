// What a command does must not depend on how many other containers there are: counted in system calls that name or
// list files, since time says nothing on a busy machine.
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { executable, isPeer, openSandbox } from "./harness.ts";

const box = openSandbox("scale");
const OTHERS = 60;

/** Number of system calls that name files, list directories or read, of a command with the sandbox's state. */
function countCalls(...args: string[]): number {
  const file = join(box.directory, "calls");
  const trace = ["strace", "-qq", "-o", file, "-e", "trace=%file,getdents64,read,pread64"];
  // A container outlives create: nothing of it may hold an output that is read here.
  const log = join(box.directory, "log");
  const { exitCode } = Bun.spawnSync([...trace, executable, "--root", box.root, "--log", log, ...args], {
    stdio: ["ignore", "ignore", "ignore"],
  });
  if (exitCode !== 0) throw new Error(`${args[0]}: ${readFileSync(log, "utf8")}`);
  return readFileSync(file, "utf8").split("\n").length;
}

function countEach(bundle: string): Record<string, number> {
  const id = box.id();
  return {
    create: countCalls("create", "--bundle", bundle, id),
    start: countCalls("start", id),
    update: countCalls("update", "--pids-limit", "100", id),
    state: countCalls("state", id),
    delete: countCalls("delete", "--force", id),
  };
}

test.skipIf(isPeer)(`with ${OTHERS} other containers, no command does more`, async () => {
  const bundle = box.bundle(["sleep", "1000"]).directory;
  const alone = countEach(bundle);
  const others = Array.from({ length: OTHERS }, () => box.id());
  for (const id of others) await box.ok(["run", "--detach", "--bundle", bundle, id]);
  const among = countEach(bundle);
  for (const id of others) await box.ok(["delete", "--force", id]);
  for (const [command, count] of Object.entries(among)) {
    // A wait may ask once more or less.
    expect({ command, ratio: count / (alone[command] as number) < 1.1 }).toEqual({ command, ratio: true });
  }
});
