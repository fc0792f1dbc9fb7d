// linux.seccomp of an ordinary user's containers: the agent, which no privilege of the user's leads to.
import { afterEach, describe, expect, test } from "bun:test";
import { chownSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Agent, type Answer, openAgent } from "./agents.ts";
import type { Seccomp } from "./config.ts";
import { isPeer, openSandbox, waitFor } from "./harness.ts";
import { openUser, USER } from "./rootless.ts";
import { deny, isX86, under } from "./seccomp.ts";

const agents: Agent[] = [];
afterEach(() => {
  for (const agent of agents.splice(0)) agent.close();
});
const box = openSandbox("rootless-agent"); // whose checks come after the agents' end
const { runtimeDir, makeBundle, call, create } = openUser(box);
const ok = { status: 0, stderr: "" };

let count = 0;
async function open(answers: Readonly<Record<number, Answer>>) {
  count += 1;
  const path = join(box.directory, `agent-${count}`);
  const agent = await openAgent(path, answers);
  agents.push(agent);
  chownSync(path, USER, USER);
  return { path, agent };
}
const mkdir = isX86 ? 83 : 34;
const asks = (path: string): Seccomp => ({
  ...deny(["mkdir", "mkdirat"], { action: "SCMP_ACT_NOTIFY" }),
  listenerPath: path,
  listenerMetadata: "of an ordinary user",
});

describe.skipIf(isPeer)("an agent of an ordinary user", () => {
  for (const noNewPrivileges of [true, false])
    test(`answers a container and its exec, with no_new_privs ${noNewPrivileges}`, async () => {
      const { path, agent } = await open({ [mkdir]: { error: 42 } });
      const id = box.id();
      const script = "mkdir /tmp/x 2>/tmp/said; exec sleep 100";
      const bundle = makeBundle(["sh", "-c", script], under(asks(path), noNewPrivileges));
      const { directory, rootfs } = bundle;
      expect(create(bundle, id).status).toBe(0);
      expect(agent.deliveries()).toEqual([]);
      expect(call("start", id)).toMatchObject(ok);
      const { pid } = JSON.parse(call("state", id).stdout) as { pid: number };
      await waitFor("the call", () => agent.calls().length > 0);
      const result = call("exec", "--pid-file", join(runtimeDir, "pid"), id, "mkdir", "/tmp/y");
      expect(result.stderr).toContain("No message of desired type");
      expect(readFileSync(join(rootfs, "tmp/said"), "utf8")).toContain("No message of desired type");
      await waitFor("the exec's call", () => agent.calls().length > 1);
      const [first, second] = agent.deliveries();
      const state = { id, pid, bundle: directory };
      const delivery = { descriptors: 1, closed: true };
      expect(first).toMatchObject({
        ...delivery,
        state: {
          fds: ["seccompFd"],
          pid,
          metadata: "of an ordinary user",
          state: { ...state, status: "created" },
        },
      });
      const execPid = Number(readFileSync(join(runtimeDir, "pid"), "utf8"));
      expect(execPid).not.toBe(pid);
      expect(second).toMatchObject({
        ...delivery,
        state: { pid: execPid, state: { ...state, status: "running" } },
      });
      expect(agent.calls()).toEqual([mkdir, mkdir]);
      expect(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")).toBe(""); // of init's making
      expect(call("delete", "--force", id)).toMatchObject(ok);
    });
});
