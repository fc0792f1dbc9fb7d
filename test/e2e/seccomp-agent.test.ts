// linux.seccomp: the agent that answers calls.
import { afterEach, describe, expect, test } from "bun:test";
import { rmdirSync } from "node:fs";
import { join } from "node:path";
import { type Agent, type Answer, openAgent } from "./agents.ts";
import type { Seccomp } from "./config.ts";
import { isPeer, openSandbox, readStatus, waitFor } from "./harness.ts";
import { canTrace, deny, isX86, status, under } from "./seccomp.ts";

const agents: Agent[] = [];
afterEach(() => {
  for (const agent of agents.splice(0)) agent.close();
});
const box = openSandbox("seccomp-agent"); // whose checks come after the agents' end

describe("an agent", () => {
  let count = 0;
  const open = async (answers: Readonly<Record<number, Answer>>) => {
    count += 1;
    const path = join(box.directory, `agent-${count}`);
    const agent = await openAgent(path, answers);
    agents.push(agent);
    return { path, agent };
  };
  const mkdir = isX86 ? 83 : 34;
  const asks = (path: string, names = ["mkdir", "mkdirat"]): Seccomp => ({
    ...deny(names, { action: "SCMP_ACT_NOTIFY" }),
    listenerPath: path,
    listenerMetadata: "of this test",
  });

  for (const noNewPrivileges of [true, false])
    test(`answers, with no_new_privs ${noNewPrivileges}`, async () => {
      const { path, agent } = await open({ [mkdir]: { error: 42 } });
      const id = box.id();
      const bundle = box.bundle(["sh", "-c", "mkdir /tmp/x; sleep 100"], (config) => {
        under(asks(path), noNewPrivileges)(config);
        config.annotations = { "org.example": "yes" };
      });
      await box.ok(["create", "--bundle", bundle.directory, id]);
      expect(isPeer || agent.deliveries().length === 0).toBe(true);
      await box.ok(["start", id]);
      await waitFor("the call", () => agent.calls().length > 0);
      const { pid } = JSON.parse((await box.ok(["state", id])).stdout) as { pid: number };
      const [delivery] = agent.deliveries();
      expect(delivery).toMatchObject({
        descriptors: 1,
        closed: true,
        state: {
          fds: ["seccompFd"],
          pid,
          metadata: "of this test",
          state: { id, pid, bundle: bundle.directory, annotations: { "org.example": "yes" } },
        },
      });
      if (!isPeer) {
        expect(delivery?.state).toMatchObject({ ociVersion: "1.3.0", state: { status: "created" } });
        expect(Object.keys(delivery?.state.state ?? {}).sort()).toEqual([
          "annotations",
          "bundle",
          "id",
          "ociVersion",
          "pid",
          "status",
        ]);
      }
      await box.ok(["delete", "--force", id]);
    });

  test("decides the result", async () => {
    const { path, agent } = await open({ [mkdir]: { error: 42 } });
    const result = await box.look(["mkdir", "/tmp/x"], under(asks(path)));
    expect(result.stderr).toContain("No message of desired type");
    expect(agent.calls()).toEqual([mkdir]);
  });

  test("gets a listener for each exec, with its pid", async () => {
    const { path, agent } = await open({ [mkdir]: { value: 0 } });
    const id = box.id();
    await box.ok(["run", "-d", "--bundle", box.bundle(["sleep", "100"], under(asks(path))).directory, id]);
    expect(await box.run(["exec", id, "mkdir", "/no/such/path"])).toMatchObject({ status: 0, stderr: "" });
    const [first, second] = agent.deliveries();
    expect(agent.deliveries().length).toBe(2);
    expect(second?.state.pid).not.toBe(first?.state.pid);
    expect(second?.state.state).toMatchObject({ id, pid: first?.state.pid, status: "running" });
    await box.ok(["delete", "--force", id]);
  });

  test("may be asked about everything but write that init still calls", async () => {
    const names = [
      "read",
      "prctl",
      "setgroups",
      "setgid",
      "setuid",
      "capset",
      "execve",
      "sendto",
      "close",
      "mmap",
    ];
    for (const noNewPrivileges of [true, false]) {
      const { path, agent } = await open({});
      const result = await box.look(["true"], under(asks(path, names), noNewPrivileges));
      expect(result).toMatchObject({ status: 0, stderr: "" });
      expect(agent.calls().length).toBeGreaterThan(1);
    }
  });

  test.skipIf(!canTrace || isPeer)("with flags that need it", async () => {
    const { path } = await open({});
    const flags = ["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"];
    const result = await box.look(status, under({ ...asks(path), flags }));
    expect(result.stdout).toBe("Seccomp:\t2\nSeccomp_filters:\t1\n");
  });

  test("may be named by a path that counts from the bundle", async () => {
    const bundle = box.bundle(["mkdir", "/tmp/x"], under(asks("agent")));
    const agent = await openAgent(join(bundle.directory, "agent"), { [mkdir]: { error: 42 } });
    agents.push(agent);
    const result = await box.run(["run", "--bundle", bundle.directory, box.id()], { cwd: "/" });
    expect(result.stderr).toContain("No message of desired type");
  });

  test("that is not there is an error of the start, and the container is gone or stopped", async () => {
    const path = join(box.directory, "nobody");
    const result = await box.look(["true"], under(asks(path)));
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch(/seccomp agent.*no such file or directory/);
    if (isPeer) return;
    const id = box.id();
    await box.ok(["create", "--bundle", box.bundle(["true"], under(asks(path))).directory, id]);
    expect((await box.run(["start", id])).stderr.replaceAll("\\", "")).toContain(
      `linux.seccomp.listenerPath: connect to the seccomp agent: connect({AF_UNIX, "${path}"}): `,
    );
    await waitFor("the container's end", async () => (await readStatus(box, id)) === "stopped");
    await box.ok(["delete", id]);
  });

  test.skipIf(isPeer)("leaves no helper of init's behind where init fails", async () => {
    const { path, agent } = await open({});
    const id = box.id();
    const bundle = box.bundle(["true"], (config) => {
      under(asks(path))(config);
      config.process.cwd = "/gone";
      config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== "pid");
    });
    await box.ok(["create", "--bundle", bundle.directory, id]);
    rmdirSync(join(bundle.rootfs, "gone"));
    expect((await box.run(["start", id])).stderr).toContain("process.cwd: enter the working directory /gone");
    expect(agent.deliveries()).toEqual([]);
    await waitFor(
      "the helper's end",
      () => !box.leftovers().some((line) => line.startsWith("process ") && !line.includes("agent.py")),
    );
    await box.ok(["delete", id]);
  });

  test.skipIf(isPeer)("needs room for init's helper among the container's processes", async () => {
    const { path } = await open({});
    const result = await box.look(["true"], (config) => {
      under(asks(path))(config);
      config.linux.resources = { pids: { limit: 1 } };
    });
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch(/linux.seccomp.listenerPath: .*clone3.*resource temporarily unavailable/);
  });

  for (const [name, change, text] of [
    ["write", { syscalls: [{ names: ["write"], action: "SCMP_ACT_NOTIFY" }] }, /write/],
    ["the default action", { defaultAction: "SCMP_ACT_NOTIFY" }, /default/],
  ] as const)
    test(`is refused for ${name} (H9)`, async () => {
      const seccomp = { ...asks("/nowhere"), ...change } as Seccomp;
      const result = await box.look(["true"], under(seccomp));
      expect(result.status).toBe(1);
      expect(result.stderr).toMatch(text);
      expect(result.stderr).toContain("SCMP_ACT_NOTIFY");
    });
});
