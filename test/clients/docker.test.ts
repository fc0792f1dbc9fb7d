// dockerd with tsrunc as the default runtime: the life of a container, builds, and what docker says when a container
// cannot start.
import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Result } from "../e2e/command.ts";
import { executable, waitFor } from "../e2e/harness.ts";
import { openDocker } from "./docker.ts";
import { image } from "./image.ts";

const { client, command, docker, ok, inspect, withContainer } = openDocker("docker");
const { directory } = client;
const expectLog = (name: string, text: string): Promise<boolean> =>
  waitFor(`${text} in the log of ${name}`, async () => (await ok(`logs ${name}`)).includes(text));

test("docker info names tsrunc as the default runtime, and its version", async () => {
  const info = JSON.parse(await ok("info --format '{{json .}}'"));
  expect(info.DefaultRuntime).toBe("tsrunc");
  expect(info.Runtimes.tsrunc.path).toBe(resolve(executable));
  expect(info.RuncCommit.ID).toMatch(/^[0-9a-f]{40}(-dirty)?$|unknown/);
});

describe("a running container", () => {
  test("exec, logs, top, stats, pause, stop, start, restart and kill", () =>
    withContainer(
      "life",
      `${image} sh -c 'trap "exit 9" TERM; echo up; while :; do sleep 0.1; done'`,
      async () => {
        await expectLog("life", "up");
        expect(await ok("exec life sh -c 'echo inside; cat /proc/1/comm'")).toBe("inside\nsh");
        expect((await docker("exec life sh -c 'exit 6'")).status).toBe(6);
        expect((await docker("exec --interactive life cat", { stdin: "through\n" })).stdout).toBe(
          "through\n",
        );
        expect(await ok("exec --user user --workdir /tmp --env A=b life sh -c 'id -un; pwd; echo $A'")).toBe(
          "user\n/tmp\nb",
        );
        expect(await ok("exec --privileged life grep CapEff /proc/self/status")).toMatch(/00000[13]f+/);
        expect(await ok("top life")).toMatch(/^UID +PID .*\n.*trap/);
        expect(Number(await ok("stats --no-stream --format {{.PIDs}} life"))).toBeGreaterThanOrEqual(1);
        await ok("pause life");
        expect(await inspect("life", "{{.State.Status}}")).toBe("paused");
        await ok("unpause life");
        expect(await inspect("life", "{{.State.Status}}")).toBe("running");
        await ok("stop --time 20 life");
        expect(await inspect("life", "{{.State.Status}} {{.State.ExitCode}}")).toBe("exited 9");
        await ok("start life");
        await ok("restart --time 20 life");
        await ok("kill life");
        expect(await ok("wait life")).toBe("137");
      },
    ));
  test("exec on a terminal", () =>
    withContainer("tty", `${image} sleep 1000`, async () => {
      const terminal = client.onPty(command("exec -it tty sh"));
      terminal.write("tty; until stty size | grep '24 80'; do sleep 0.1; done; exit 4\n");
      await terminal.expect(/\/dev\/pts\/0\r\n/);
      await terminal.ended;
      expect(terminal.report()).toContain('"status": 4');
    }));
  test("exec of what is not there, or cannot be run, ends as with runc", async () => {
    const execute = async (runtime: string, program: string): Promise<Result> => {
      await ok(`run --detach --name exec --runtime ${runtime} ${image} sleep 1000`);
      const result = await docker(`exec exec ${program}`);
      await ok("rm --force exec");
      return result;
    };
    for (const [program, pattern] of [
      ["nope", /exec: "nope": executable file not found in \$PATH/],
      ["/etc/passwd", /exec: "\/etc\/passwd": permission denied/],
    ] as const) {
      const ours = await execute("tsrunc", program);
      const theirs = await execute("runc", program);
      // 126 for both in Docker 20.10; later releases tell 127 for a missing command.
      expect(ours.status).toBe(theirs.status);
      expect([126, 127]).toContain(ours.status ?? 0);
      expect(ours.stdout + ours.stderr).toMatch(pattern);
    }
  });
  test("attach hands over the input", async () => {
    await ok(`create --name attached --interactive ${image} sh -c 'read line; echo got $line'`);
    expect(await docker("start --attach --interactive attached", { stdin: "this\n" })).toMatchObject({
      status: 0,
      stdout: "got this\n",
    });
    await ok("rm attached");
  });
  test("a restart policy starts it again", () =>
    withContainer("again", `--restart on-failure:2 ${image} sh -c 'exit 1'`, () =>
      waitFor("two restarts", async () => (await inspect("again", "{{.RestartCount}}")) === "2", 20_000).then(
        () => undefined,
      ),
    ));
  test("a health check runs in it", () =>
    withContainer(
      "healthy",
      `--health-interval 200ms --health-cmd 'test -e /tmp/well' --health-retries 1 ${image} sleep 1000`,
      async () => {
        const health = (state: string): Promise<boolean> =>
          waitFor(
            state,
            async () => (await inspect("healthy", "{{.State.Health.Status}}")) === state,
            20_000,
          );
        await health("unhealthy");
        await ok("exec healthy touch /tmp/well");
        await health("healthy");
      },
    ));
  test("out of memory is told", async () => {
    // Given time, so that the shim watches.
    const script = "sleep 1; exec dd if=/dev/zero of=/dev/null bs=64M";
    await docker(`run --name oom --memory 16m --memory-swap 16m ${image} sh -c '${script}'`);
    expect(await inspect("oom", "{{.State.OOMKilled}} {{.State.ExitCode}}")).toBe("true 137");
    await ok("rm oom");
  });
  test("cp into and out of it", () =>
    withContainer("copy", `${image} sleep 1000`, async () => {
      await ok("cp /etc/hostname copy:/tmp/name");
      await ok("exec copy test -s /tmp/name");
      await ok(`cp copy:/etc/passwd ${join(directory, "passwd")}`);
      expect(existsSync(join(directory, "passwd"))).toBe(true);
    }));
});

test("build with RUN steps", async () => {
  const context = join(directory, "context");
  mkdirSync(context);
  writeFileSync(
    join(context, "Dockerfile"),
    `FROM ${image}\nRUN id -u >/built\nUSER user\nRUN id -un >/tmp/by\nCMD cat /built /tmp/by\n`,
  );
  await ok(`build --tag built ${context}`);
  expect(await ok("run --rm built")).toBe("0\nuser");
  writeFileSync(join(context, "Dockerfile"), `FROM ${image}\nRUN exit 3\n`);
  expect((await docker(`build --force-rm ${context}`)).stderr).toContain("returned a non-zero code: 3");
});

/** Docker 20.10's BuildKit takes no runtime but runc. */
const hasBuildkit =
  (await client.run(["grep", "-q", "DOCKER_BUILDKIT_RUNC_COMMAND", "/usr/sbin/dockerd"])).status === 0;

test.skipIf(!hasBuildkit)("BuildKit: RUN steps; one that fails; one that cannot start", async () => {
  const context = join(directory, "buildkit");
  mkdirSync(context);
  const build = (steps: string): Promise<Result> => {
    writeFileSync(join(context, "Dockerfile"), `FROM ${image}\n${steps}`);
    return docker(`build --network none --progress plain --no-cache --tag buildkit ${context}`, {
      env: { DOCKER_BUILDKIT: "1" },
    });
  };
  const { status, stderr } = await build(
    `RUN id -u >/built
RUN --mount=type=tmpfs,target=/scratch stat -f -c %T /scratch >>/built
RUN --mount=type=bind,target=/context grep -c ^FROM /context/Dockerfile >>/built
USER user
RUN id -un >/tmp/by
CMD cat /built /tmp/by
`,
  );
  expect(status === 0 ? "" : stderr).toBe("");
  expect(await ok("run --rm buildkit")).toBe("0\ntmpfs\n1\nuser");
  expect((await build("RUN exit 3\n")).stderr).toMatch(/exit code: 3/);
  // Its name tells that it was tsrunc which BuildKit called.
  expect((await build('RUN ["nope"]\n')).stderr).toMatch(
    /tsrunc run failed: exec: "nope": executable file not found in \$PATH/,
  );
});

describe("what cannot start ends as with runc", () => {
  const cases: [string, string, number, RegExp][] = [
    [
      "a command that is not in the path",
      `${image} nope`,
      127,
      /"nope": executable file not found in \$PATH/,
    ],
    ["a path that is missing", `${image} /nope`, 127, /"\/nope": stat \/nope: no such file or directory/],
    ["a directory", `${image} /etc`, 126, /"\/etc": (is a directory|permission denied)/],
    ["a file that is not executable", `${image} /etc/passwd`, 126, /"\/etc\/passwd": permission denied/],
    ["a bad working directory", `--workdir /etc/passwd ${image} true`, 125, /\/etc\/passwd.*not a directory/],
    ["a missing mount source", `--mount type=bind,src=/nope,dst=/x ${image} true`, 125, /\/nope/],
    ["an unknown user", `--user nobody-here ${image} true`, 125, /unable to find user nobody-here/],
    ["a file over a directory", `--volume /etc/hostname:/etc ${image} true`, 125, /not a directory/],
    ["a bad sysctl", `--sysctl net.ipv4.nope=1 ${image} true`, 127, /no such file or directory/],
  ];
  for (const [title, words, status, pattern] of cases)
    test(title, async () => {
      const ours = await docker(`run --rm ${words}`);
      const theirs = await docker(`run --rm --runtime runc ${words}`);
      expect(theirs.stderr).toMatch(pattern);
      expect(ours.stderr).toMatch(pattern);
      expect([ours.status, theirs.status]).toEqual([status, status]);
    });
});
