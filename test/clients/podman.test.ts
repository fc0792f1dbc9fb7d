// Podman as root, with conmon: the life of a container, pods, and what podman says when a container cannot start.
import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { executable, waitFor } from "../e2e/harness.ts";
import { openClient } from "./client.ts";
import { image } from "./image.ts";
import { configurePodman, openPodman } from "./podman.ts";

const client = openClient("podman", configurePodman);
const podman = openPodman(client);
const { inspect } = podman;

/** Waits until a container's log has the text. */
const expectLog = (name: string, text: string): Promise<boolean> =>
  waitFor(`${text} in the log of ${name}`, async () => {
    const { stdout, stderr } = await podman.run(`logs ${name}`);
    return (stdout + stderr).includes(text);
  });

test("podman info names tsrunc, its path and its version", async () => {
  const info = JSON.parse(await podman.ok("info --format json"));
  expect(info.host.ociRuntime).toMatchObject({ name: "tsrunc", path: resolve(executable) });
  expect(info.host.ociRuntime.version).toMatch(/^tsrunc version \d+\.\d+\.\d+\ncommit: \S+\nspec: 1\.3\.0/);
});

describe("a running container", () => {
  test("exec, logs, top, stats, pause, update, stop, start and rm", async () => {
    await podman.ok(
      `run --detach --name life ${image} sh -c 'trap "exit 9" TERM; echo up; while :; do sleep 0.1; done'`,
    );
    await expectLog("life", "up");
    expect(await podman.ok("exec life sh -c 'echo inside; cat /proc/1/comm'")).toBe("inside\nsh");
    expect((await podman.run("exec life sh -c 'exit 6'")).status).toBe(6);
    expect((await podman.run("exec --interactive life cat", { stdin: "through\n" })).stdout).toBe(
      "through\n",
    );
    expect(
      await podman.ok("exec --user user --workdir /tmp --env A=b life sh -c 'id -un; pwd; echo $A'"),
    ).toBe("user\n/tmp\nb");
    expect(await podman.ok("top life pid comm")).toMatch(/^PID\s+COMMAND\n1\s+sh/);
    expect(await podman.ok("top life -eo pid,comm")).toMatch(/\d+ sh/);
    const [stats] = JSON.parse(await podman.ok("stats --no-stream --format json life"));
    expect(Number(stats.pids)).toBeGreaterThanOrEqual(1);
    await podman.ok("pause life");
    expect(await inspect("life", "{{.State.Status}}")).toBe("paused");
    await podman.ok("unpause life");
    expect(await inspect("life", "{{.State.Status}}")).toBe("running");
    await podman.ok("stop --time 20 life");
    expect(await inspect("life", "{{.State.Status}} {{.State.ExitCode}}")).toBe("exited 9");
    await podman.ok("start life");
    await podman.ok("kill --signal KILL life");
    expect(await podman.ok("wait life")).toBe("137");
    await podman.ok("rm life");
  });
  test("exec on a terminal", async () => {
    await podman.ok(`run --detach --name tty ${image} sleep 1000`);
    const terminal = podman.onPty("exec -it tty sh");
    terminal.write("tty; stty size; exit 4\n");
    await terminal.expect(/\/dev\/pts\/0\r\n24 80/);
    await terminal.ended;
    expect(terminal.report()).toContain('"status": 4');
    await podman.ok("rm --force --time 0 tty");
  });
  test("exec of what is not there, or cannot be run", async () => {
    await podman.ok(`run --detach --name exec ${image} sleep 1000`);
    const missing = await podman.run("exec exec nope");
    expect(missing.status).toBe(127);
    expect(missing.stderr).toContain('exec: "nope": executable file not found in $PATH');
    const file = await podman.run("exec exec /etc/passwd");
    expect(file.status).toBe(126);
    expect(file.stderr).toContain('exec: "/etc/passwd": permission denied');
    await podman.ok("rm --force --time 0 exec");
  });
  test("attach sees the output and hands over the input", async () => {
    await podman.ok(`create --name attached --interactive ${image} sh -c 'read line; echo got $line'`);
    const { status, stdout } = await podman.run("start --attach --interactive attached", { stdin: "this\n" });
    expect({ status, stdout }).toEqual({ status: 0, stdout: "got this\n" });
    await podman.ok("rm attached");
  });
  test("a health check runs in it", async () => {
    await podman.ok(
      `run --detach --name healthy --health-interval disable --health-cmd 'test -e /tmp/well' ${image} sleep 1000`,
    );
    expect((await podman.run("healthcheck run healthy")).status).toBe(1);
    await podman.ok("exec healthy touch /tmp/well");
    await podman.ok("healthcheck run healthy");
    await podman.ok("rm --force --time 0 healthy");
  });
  test("a restart policy starts it again", async () => {
    await podman.ok(`run --detach --name again --restart on-failure:2 ${image} sh -c 'echo once; exit 1'`);
    await waitFor("two restarts", async () => (await inspect("again", "{{.RestartCount}}")) === "2", 20_000);
    await podman.ok("rm --force --time 0 again");
  });
});

describe("a pod", () => {
  test("two containers share namespaces; an init container runs before them", async () => {
    await podman.ok("pod create --name pod --share ipc,uts,net,pid --hostname podded");
    const volume = `--volume pod:/shared`;
    await podman.ok(
      `create --pod pod --name early --init-ctr once ${volume} ${image} sh -c 'echo early >/shared/order'`,
    );
    await podman.ok(
      `create --pod pod --name one ${volume} ${image} sh -c 'echo late >>/shared/order; hostname; exec sleep 1000'`,
    );
    await podman.ok(`create --pod pod --name two ${image} sleep 1001`);
    await podman.ok("pod start pod");
    await expectLog("one", "podded");
    expect(await podman.ok("exec one cat /shared/order")).toBe("early\nlate");
    const seen = (await podman.ok("exec two ps -o args")).split("\n");
    expect(seen).toContain("sleep 1000");
    expect(seen).toContain("sleep 1001");
    expect(await podman.ok("pod inspect --format {{.State}} pod")).toBe("Running");
    await podman.ok("pod pause pod");
    expect(await inspect("two", "{{.State.Status}}")).toBe("paused");
    await podman.ok("pod unpause pod");
    await podman.ok("pod kill pod");
    await podman.ok("pod rm --force pod");
  });
  test("kube play", async () => {
    const file = join(client.directory, "pod.yaml");
    const pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "kube" },
      spec: {
        hostNetwork: true,
        containers: [
          {
            name: "main",
            image,
            imagePullPolicy: "Never",
            command: ["sh", "-c", "echo $WHO; exec sleep 1000"],
            env: [{ name: "WHO", value: "played" }],
            securityContext: { readOnlyRootFilesystem: true, runAsUser: 1000 },
            resources: { limits: { cpu: "500m" } },
          },
        ],
      },
    };
    writeFileSync(file, JSON.stringify(pod));
    await podman.ok(`play kube ${file}`);
    await expectLog("kube-main", "played");
    expect(await podman.ok("exec kube-main id -u")).toBe("1000");
    await podman.ok(`play kube --down ${file}`);
  });
});

/** What podman says with a runtime, without the runtime's own words before the cause, which differ. */
async function failWith(runtime: string, words: string): Promise<{ status: number | null; words: string }> {
  const { status, stderr } = await podman.run(`--runtime ${runtime} run --rm ${words}`);
  return { status, words: stderr };
}

describe("what cannot start ends as with runc", () => {
  const cases: [string, string, number, RegExp][] = [
    [
      "a command that is not in the path",
      `${image} nope`,
      127,
      /"nope": executable file not found in \$PATH/,
    ],
    ["a path that is missing", `${image} /nope`, 127, /"\/nope": stat \/nope: no such file or directory/],
    // runc says `permission denied` before 1.2, `is a directory` today; the status is the same.
    ["a directory", `${image} /etc`, 126, /"\/etc": (is a directory|permission denied)/],
    ["a file that is not executable", `${image} /etc/passwd`, 126, /"\/etc\/passwd": permission denied/],
    [
      "a bad working directory",
      `--workdir /etc/passwd ${image} true`,
      126,
      /"\/etc\/passwd".*not a directory/,
    ],
    ["a missing mount source", `--volume /nope:/x ${image} true`, 125, /\/nope: no such file or directory/],
    ["an unknown user", `--user nobody-here ${image} true`, 126, /unable to find user nobody-here/],
    ["a file over a directory", `--volume /etc/hostname:/etc ${image} true`, 126, /not a directory/],
  ];
  for (const [title, words, status, pattern] of cases)
    test(title, async () => {
      const ours = await failWith("tsrunc", words);
      const theirs = await failWith("runc", words);
      expect(ours.status).toBe(theirs.status);
      expect(ours.status).toBe(status);
      expect(ours.words).toMatch(pattern);
      expect(theirs.words).toMatch(pattern);
    });
});
