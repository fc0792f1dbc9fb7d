// --pidfd-socket: a real receiver gets a pidfd of the very process, and can signal it.
import { expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { isPeer, openSandbox, readStatus, waitFor } from "./harness.ts";

const box = openSandbox("pidfd");
// Debian's runc does not know the flag.
const ours = test.skipIf(isPeer);

async function openReceiver(name: string) {
  const path = join(box.directory, name);
  const script = join(import.meta.dirname, "peers/pidfd.py");
  const child = spawn("python3", [script, path, "SIGKILL"], { stdio: ["pipe", "pipe", "inherit"] });
  let output = "";
  child.stdout.on("data", (data) => {
    output += data;
  });
  const has = (text: string) => waitFor(`"${text}"`, async () => output.includes(text));
  await has("ready");
  return {
    path,
    received: async () => {
      await has("received");
      return /received (\S+) (\d+) (\d+)/.exec(output)?.slice(1, 4);
    },
    kill: async () => {
      child.stdin.write("\n");
      await has("ended");
    },
  };
}

ours("create sends its container's first process", async () => {
  const id = box.id();
  const bundle = box.bundle(["sleep", "100"]);
  const receiver = await openReceiver("create");
  await box.ok(["create", "--pidfd-socket", receiver.path, "--bundle", bundle.directory, id]);
  const { pid } = JSON.parse((await box.ok(["state", id])).stdout) as { pid: number };
  expect(await receiver.received()).toEqual(["standard", "1", String(pid)]);
  await box.ok(["start", id]);
  await receiver.kill();
  await waitFor("the end", async () => (await readStatus(box, id)) === "stopped");
  await box.ok(["delete", id]);
});

ours("exec sends the process that it makes", async () => {
  const id = box.id();
  const bundle = box.bundle(["sleep", "100"]);
  await box.ok(["run", "--detach", "--bundle", bundle.directory, id]);
  const receiver = await openReceiver("exec");
  const exec = box.run(["exec", "--pidfd-socket", receiver.path, id, "sleep", "100"]);
  expect((await receiver.received())?.slice(0, 2)).toEqual(["setns", "1"]);
  await receiver.kill();
  expect((await exec).status).toBe(137);
  await box.ok(["delete", "--force", id]);
});

ours("an empty path is as none, as with runc", async () => {
  const id = box.id();
  const bundle = box.bundle(["true"]);
  await box.ok(["run", "--pidfd-socket", "", "--pid-file=", "--bundle", bundle.directory, id]);
});

ours("a path without a receiver is an error, and nothing is left", async () => {
  const bundle = box.bundle(["true"]);
  const socket = join(box.directory, "nobody");
  const result = await box.run(["run", "--pidfd-socket", socket, "--bundle", bundle.directory, box.id()]);
  expect(result.status).toBe(1);
  expect(result.stderr).toContain(
    `connect to the pidfd socket: connect({AF_UNIX, \\"${socket}\\"}): no such file or directory`,
  );
});
