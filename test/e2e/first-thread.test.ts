// A program whose first thread ends while others run on: /proc calls it a zombie, and it is none.
import { expect, test } from "bun:test";
import { cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isPeer, openSandbox, readStatus, waitFor } from "./harness.ts";
import { compileProgram } from "./native.ts";

const box = openSandbox("first-thread");

const SOURCE = `
#include <pthread.h>
#include <unistd.h>
static void *run(void *unused) { for (;;) pause(); }
int main(void) {
  pthread_t thread;
  pthread_create(&thread, 0, run, 0);
  pthread_exit(0);
}
`;

test.skipIf(isPeer)("is running, can be killed, and is not deleted without force", async () => {
  const bundle = box.bundle(["/bin/threads"]);
  cpSync(compileProgram(box.directory, "threads", SOURCE), join(bundle.rootfs, "bin/threads"));
  const id = box.id();
  await box.ok(["run", "--detach", "--bundle", bundle.directory, id]);
  const { pid } = JSON.parse((await box.ok(["state", id])).stdout) as { pid: number };
  await waitFor("the first thread's end", () =>
    /^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, "utf8")),
  );
  expect(await readStatus(box, id)).toBe("running");
  expect((await box.run(["delete", id])).stderr).toContain("is not stopped: running");
  expect(await readStatus(box, id)).toBe("running");
  await box.ok(["kill", id, "KILL"]);
  await waitFor("the container's end", async () => (await readStatus(box, id)) === "stopped");
  await box.ok(["delete", id]);
});
