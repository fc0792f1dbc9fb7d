// Which processes are a container's where an ordinary user has no cgroup: ps, kill --all, delete --force, exec --cgroup.
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "./config.ts";
import { isPeer, openSandbox, waitFor } from "./harness.ts";
import { openUser } from "./rootless.ts";

const box = openSandbox("rootless-processes");
const { call, create, makeBundle, runtimeDir, spawn, asUser, tsrunc } = openUser(box);

const FAMILY = ["sh", "-c", "sleep 98765 & sleep 98764; true"];
/** Without a pid namespace of its own a container has the host's /proc. */
function sharePids(config: Config): void {
  config.linux.namespaces = config.linux.namespaces.filter((n) => n.type !== "pid");
  config.mounts = config.mounts.filter((m) => m.destination !== "/proc");
  config.mounts.push({ destination: "/proc", type: "none", source: "/proc", options: ["rbind"] });
}

/** Starts a container of three processes, and gives their pids as ps shows them. */
async function start(change: (config: Config) => void): Promise<{ id: string; pids: readonly number[] }> {
  const id = box.id();
  expect(create(makeBundle(FAMILY, change), id).status).toBe(0);
  expect(call("start", id)).toMatchObject({ status: 0, stderr: "" });
  const pids = await waitFor("all processes", () => {
    const found = (JSON.parse(call("ps", "--format", "json", id).stdout) ?? []) as number[];
    return found.length === 3 && found.filter(isSleep).length === 2 ? found : undefined;
  });
  return { id, pids };
}

const isSleep = (pid: number): boolean =>
  existsSync(`/proc/${pid}`) && readFileSync(`/proc/${pid}/cmdline`, "utf8").startsWith("sleep\x009876");
const findSleeps = (pids: readonly number[]): readonly number[] => pids.filter(isSleep);

describe.skipIf(isPeer).each([
  ["with a pid namespace of its own", () => {}],
  ["without", sharePids],
] as const)("%s", (_, change) => {
  test("ps lists all; kill --all reaches all with any signal", async () => {
    const { id, pids } = await start(change);
    const { pid } = JSON.parse(call("state", id).stdout) as { pid: number };
    expect(pids).toContain(pid);
    // The shell of the pid namespace is its init, which a signal without a handler does not end.
    expect(call("kill", "--all", id, "TERM")).toMatchObject({ status: 0, stderr: "" });
    await waitFor("their end", () => findSleeps(pids).length === 0);
    expect(call("delete", "--force", id)).toMatchObject({ status: 0, stderr: "" });
  });

  test.each([
    ["kill --all KILL", (id: string) => call("kill", "--all", id, "KILL")],
    ["kill KILL", (id: string) => call("kill", id, "KILL")],
    ["delete --force", (id: string) => call("delete", "--force", id)],
  ])("%s leaves none", async (_name, end) => {
    const { id, pids } = await start(change);
    expect(end(id)).toMatchObject({ status: 0, stderr: "" });
    await waitFor("their end", () => findSleeps(pids).length === 0);
    expect(call("delete", "--force", id)).toMatchObject({ status: 0, stderr: "" });
    expect(existsSync(join(runtimeDir, "tsrunc", id))).toBe(false);
  });

  test("exec --cgroup is refused", async () => {
    const { id } = await start(change);
    const { status, stderr } = call("exec", "--cgroup", "x/y", id, "true");
    expect(status).toBe(255);
    expect(stderr).toContain("--cgroup: the container has no cgroup");
    expect(call("exec", id, "true")).toMatchObject({ status: 0, stderr: "" });
    expect(call("delete", "--force", id)).toMatchObject({ status: 0, stderr: "" });
  });

  test("a warning tells of what may be missed", () => {
    const bundle = makeBundle(["true"], change);
    const run = [...asUser(), tsrunc, "run", "--bundle", bundle.directory, box.id()];
    const { status, stderr } = spawn(run);
    expect(status).toBe(0);
    if (change === sharePids) expect(stderr).toContain("no cgroup and no private pid namespace");
    else expect(stderr).toBe("");
  });
});
