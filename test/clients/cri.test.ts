// Kubernetes' way to tsrunc, containerd's CRI plugin: pods, and the life of their containers.
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { waitFor } from "../e2e/harness.ts";
import { type Fields, type Message, openCri, type Pod } from "./cri.ts";
import { openStream } from "./cri-stream.ts";

const cri = openCri("cri");
const { client, call, withPod, execute } = cri;
const sleep = ["sleep", "1000"];

test("the runtime is ready, and has the features of runc", async () => {
  const { status, runtime_handlers } = await call("RuntimeService.Status");
  expect(status.conditions.filter((condition: Message) => !condition.status)).toEqual([]);
  const features = (name: string): Message =>
    runtime_handlers.find((handler: Message) => handler.name === name).features;
  expect(features("tsrunc")).toEqual(features("runc"));
  expect(features("tsrunc")).toEqual({ recursive_read_only_mounts: true, user_namespaces: true });
});

describe("a pod", () => {
  test("has an address of its own, a host name, and two containers that share namespaces", () =>
    withPod({ hostname: "podded" }, async (pod) => {
      const { status } = await call("RuntimeService.PodSandboxStatus", { pod_sandbox_id: pod.id });
      expect(status.runtime_handler).toBe("tsrunc");
      expect(status.network.ip).toMatch(/^10\.88\.0\./);
      const server = "echo served >/tmp/index.html; exec httpd -f -p 80 -h /tmp";
      const one = await pod.run("one", ["sh", "-c", server]);
      const two = await pod.run("two", sleep);
      const fetch = ["busybox", "wget", "-T", "2", "-qO-", `http://${status.network.ip}/`];
      const page = await waitFor("the page", async () => (await client.run(fetch)).stdout);
      expect(page).toBe("served\n");
      expect((await execute(two, "wget", "-qO-", "http://127.0.0.1/")).stdout).toBe("served\n");
      expect((await execute(two, "hostname")).stdout).toBe("podded\n");
      const links = "for n in net ipc uts mnt; do readlink /proc/self/ns/$n; done";
      const [first, second] = await Promise.all([one, two].map((id) => execute(id, "sh", "-c", links)));
      const [left, right] = [first, second].map((result) => result?.stdout.trim().split("\n") ?? []);
      expect(left?.slice(0, 3)).toEqual(right?.slice(0, 3) ?? []);
      expect(left?.[3]).not.toBe(right?.[3]);
    }));
  test("with a pid namespace for all, for each container, or of another container", () =>
    withPod({}, async (pod) => {
      const list = async (container: string, fields: Fields): Promise<string> => {
        const id = await pod.run(container, ["sleep", `1000.${container}`], fields);
        return (await execute(id, "ps", "-o", "pid,args")).stdout;
      };
      const pid = (mode: string, others: Fields = {}): Fields => ({
        linux: { security_context: { namespace_options: { pid: mode, ...others } } },
      });
      const first = await pod.run("first", sleep, pid("CONTAINER"));
      expect((await execute(first, "ps", "-o", "pid,args")).stdout).toMatch(/ 1 sleep 1000\n/);
      expect(await list("1", pid("POD"))).toMatch(/ 1 \/catatonit -P\n +\d+ sleep 1000\.1\n/);
      expect(await list("2", pid("POD"))).toMatch(/ sleep 1000\.1\n +\d+ sleep 1000\.2\n/);
      expect(await list("3", pid("TARGET", { target_id: first }))).toMatch(
        / 1 sleep 1000\n +\d+ sleep 1000\.3\n/,
      );
    }));
  test("on the host's network, process and ipc namespaces", async () => {
    const options = { network: "NODE", pid: "NODE", ipc: "NODE" };
    const security = { namespace_options: options };
    // The kubelet gives a pod on the host's network no host name.
    await withPod({ hostname: "", linux: { security_context: security } }, async (pod) => {
      const links = "for n in net pid ipc; do readlink /proc/self/ns/$n; done";
      const seen = await pod.script(links, { linux: { security_context: security } });
      expect(seen.trim()).toBe(await client.ok(["sh", "-c", links]));
    });
  });
  test("eight containers start at a time", () =>
    withPod({}, async (pod) => {
      const lines = await Promise.all(Array.from({ length: 8 }, (_, index) => pod.script(`echo ${index}`)));
      expect(lines).toEqual(lines.map((_, index) => `${index}\n`));
    }));
});

describe("a container", () => {
  const withContainer = (
    command: readonly string[],
    use: (id: string, pod: Pod) => Promise<void>,
    fields: Fields = {},
  ): Promise<void> => withPod({}, async (pod) => use(await pod.run("main", command, fields), pod));

  test("logs its output, and ends with its status", () =>
    withContainer(
      ["sh", "-c", "echo out; echo err >&2; pwd; echo $COLOR; exit 7"],
      async (id, pod) => {
        expect(await cri.waitForEnd(id)).toMatchObject({ exit_code: 7, reason: "Error" });
        const lines = await waitFor("its log", () => {
          const seen = pod.readLog("main").split("\n").toSorted();
          return seen.length === 5 ? seen : undefined;
        });
        expect(lines).toEqual(["", "/tmp", "err", "out", "red"]);
      },
      { working_dir: "/tmp", envs: [{ key: "COLOR", value: Buffer.from("red").toString("base64") }] },
    ));
  test("executes, with a status, and within its time", () =>
    withContainer(sleep, async (id) => {
      expect(await execute(id, "sh", "-c", "echo in; echo oops >&2; exit 6")).toEqual({
        status: 6,
        stdout: "in\n",
        stderr: "oops\n",
      });
      const late = await cri.attempt("RuntimeService.ExecSync", { container_id: id, cmd: sleep, timeout: 1 });
      expect(late.status).toBe(1);
      expect(late.stderr).toMatch(/^DEADLINE_EXCEEDED/);
      // The killed process is gone, the container not.
      expect((await execute(id, "ps", "-o", "args")).stdout.match(/sleep 1000/g)).toHaveLength(1);
    }));
  test("executes on a terminal, and has its input and output attached", () =>
    withContainer(
      ["sh"],
      async (id) => {
        const command = { container_id: id, stdin: true, stdout: true, tty: true };
        const shell = await openStream((await call("RuntimeService.Exec", { ...command, cmd: ["sh"] })).url);
        shell.resize(40, 100);
        shell.write("tty; until stty size | grep '40 100'; do sleep 0.1; done; exit 5\n");
        expect((await shell.ended).details.causes).toEqual([{ reason: "ExitCode", message: "5" }]);
        expect(shell.output()).toMatch(/\/dev\/pts\/1\r\n/);
        const attached = await openStream((await call("RuntimeService.Attach", command)).url);
        attached.write("tty; exit 4\n");
        await waitFor("the terminal", () => /\/dev\/pts\/0\r\n/.test(attached.output()));
        expect(await cri.waitForEnd(id)).toMatchObject({ exit_code: 4 });
        await attached.ended;
      },
      { tty: true, stdin: true },
    ));
  test("is stopped by a signal that it catches, or killed; removed while it runs", () =>
    withContainer(["sh", "-c", "trap 'exit 9' TERM; while :; do sleep 0.1; done"], async (id, pod) => {
      await call("RuntimeService.StopContainer", { container_id: id, timeout: 20 });
      expect(await cri.status(id)).toMatchObject({ state: "CONTAINER_EXITED", exit_code: 9 });
      const stubborn = await pod.run("stubborn", sleep);
      await call("RuntimeService.StopContainer", { container_id: stubborn });
      expect(await cri.status(stubborn)).toMatchObject({ exit_code: 137 });
      const running = await pod.run("running", sleep);
      await call("RuntimeService.RemoveContainer", { container_id: running });
      expect((await cri.attempt("RuntimeService.ContainerStatus", { container_id: running })).stderr).toMatch(
        /^NOT_FOUND/,
      );
    }));
  test("has limits, which can be changed, and statistics", () => {
    const limits = (shares: number, quota: number, mebibytes: number): Fields => ({
      cpu_shares: shares,
      cpu_quota: quota,
      cpu_period: 100000,
      memory_limit_in_bytes: mebibytes * 1024 * 1024,
    });
    const script =
      "cd /sys/fs/cgroup; cat cpu/cpu.shares cpu/cpu.cfs_quota_us memory/memory.limit_in_bytes 2>/dev/null || cat cpu.weight cpu.max memory.max";
    return withContainer(
      sleep,
      async (id) => {
        const read = async (): Promise<string> => (await execute(id, "sh", "-c", script)).stdout;
        expect(await read()).toMatch(/^(512\n50000\n|\d+\n50000 100000\n)33554432\n$/);
        await call("RuntimeService.UpdateContainerResources", {
          container_id: id,
          linux: limits(256, 40000, 48),
        });
        expect(await read()).toMatch(/^(256\n40000\n|\d+\n40000 100000\n)50331648\n$/);
        const { stats } = await call("RuntimeService.ContainerStats", { container_id: id });
        expect(Number(stats.memory.usage_bytes.value)).toBeGreaterThan(0);
      },
      { linux: { resources: limits(512, 50000, 32) } },
    );
  });
  test("is told to be out of memory", () =>
    withContainer(
      // Given time, so that the shim watches.
      ["sh", "-c", "sleep 1; exec dd if=/dev/zero of=/dev/null bs=64M"],
      async (id) => {
        expect(await cri.waitForEnd(id)).toMatchObject({ exit_code: 137, reason: "OOMKilled" });
      },
      { linux: { resources: { memory_limit_in_bytes: 16 * 1024 * 1024 } } },
    ));
  test("is checkpointed by nobody", () =>
    withContainer(sleep, async (id) => {
      const location = join(client.directory, "checkpoint.tar");
      const { stderr } = await cri.attempt("RuntimeService.CheckpointContainer", {
        container_id: id,
        location,
      });
      expect(stderr).not.toBe("");
      expect(await cri.status(id)).toMatchObject({ state: "CONTAINER_RUNNING" });
    }));
  test("outlives a restart of containerd", () =>
    withContainer(sleep, async (id) => {
      await cri.restart();
      expect(await cri.status(id)).toMatchObject({ state: "CONTAINER_RUNNING" });
      expect((await execute(id, "echo", "still")).stdout).toBe("still\n");
    }));
});

test("the daemon's log has no complaint about the runtime", () => {
  const log = readFileSync(join(client.directory, "daemon-0.log"), "utf8");
  expect(log).not.toMatch(/failed to (delete|kill|read runtime|cleanup|shutdown)[^\n]*tsrunc/);
});
