// dockerd, with a containerd of its own and tsrunc as the default runtime: the life of a container, its options, its
// network set up by a hook, and what docker says when it cannot start.
import { afterEach, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Result, RunOptions } from "../e2e/command.ts";
import { executable, waitFor } from "../e2e/harness.ts";
import { hasOverlay, openClient, readSnippet } from "./client.ts";
import { image } from "./image.ts";
import { split } from "./podman.ts";

const client = openClient("docker", (directory) => ({
  DOCKER_HOST: `unix://${directory}/docker.sock`,
  DOCKER_CONFIG: join(directory, "cli"),
  DOCKER_BUILDKIT: "0",
}));
const directory = client.directory;
// Debian's, also where another stands before it in the path.
const command = (words: string): string[] => ["/usr/bin/docker", ...split(words)];
const docker = (words: string, options?: RunOptions): Promise<Result> => client.run(command(words), options);
const ok = (words: string, options?: RunOptions): Promise<string> => client.ok(command(words), options);

beforeAll(async () => {
  const configuration = join(directory, "daemon.json");
  writeFileSync(configuration, readSnippet("/etc/docker/daemon.json"));
  await client.daemon(
    [
      "dockerd",
      ...["--config-file", configuration, "--host", `unix://${directory}/docker.sock`],
      ...["--data-root", join(directory, "data"), "--exec-root", join(directory, "exec")],
      ...["--pidfile", join(directory, "docker.pid"), "--cgroup-parent", client.cgroup],
      ...["--exec-opt", "native.cgroupdriver=cgroupfs"],
      ...["--storage-driver", hasOverlay(directory) ? "overlay2" : "vfs"],
    ],
    async () => (await docker("version")).status === 0,
  );
  await ok(`load --quiet --input ${client.archive()}`);
});
afterEach(async () => {
  const left = await ok("ps --all --quiet");
  if (left !== "") await docker(`rm --force --volumes ${left.replaceAll("\n", " ")}`);
  expect(left).toBe("");
});

const inspect = (name: string, format: string): Promise<string> => ok(`inspect --format '${format}' ${name}`);
const expectLog = (name: string, text: string): Promise<boolean> =>
  waitFor(`${text} in the log of ${name}`, async () => (await ok(`logs ${name}`)).includes(text));

/** Runs a container in the background, hands over its name, and removes it. */
async function withContainer(name: string, words: string, use: () => Promise<void>): Promise<void> {
  await ok(`run --detach --name ${name} ${words}`);
  try {
    await use();
  } finally {
    await ok(`rm --force --volumes ${name}`);
  }
}

test("docker info names tsrunc as the default runtime, and its version", async () => {
  const info = JSON.parse(await ok("info --format '{{json .}}'"));
  expect(info.DefaultRuntime).toBe("tsrunc");
  expect(info.Runtimes.tsrunc.path).toBe(resolve(executable));
  expect(info.RuncCommit.ID).toMatch(/^[0-9a-f]{40}(-dirty)?$|unknown/);
});

describe("run", () => {
  test("output, standard error, input and exit status arrive", async () => {
    expect(
      await docker(`run --rm --interactive ${image} sh -c 'cat; echo oops >&2; exit 7'`, {
        stdin: "hello\n",
      }),
    ).toMatchObject({ status: 7, stdout: "hello\n", stderr: "oops\n" });
  });
  test("on a terminal", async () => {
    const terminal = client.onPty(command(`run --rm -it ${image} sh`));
    terminal.write("tty; until stty size | grep '24 80'; do sleep 0.1; done; exit 5\n");
    await terminal.expect(/\/dev\/pts\/0\r\n/);
    await terminal.ended;
    expect(terminal.report()).toContain('"status": 5');
  });
  test("limits, capabilities, read-only root, tmpfs, volumes, device, user, hostname and sysctl", async () => {
    const host = join(directory, "volume");
    mkdirSync(host);
    writeFileSync(join(host, "file"), "from the host\n");
    const script = [
      "id -u",
      "grep CapPrm /proc/self/status",
      "ulimit -n",
      "touch /file 2>&1",
      "touch /scratch/file && stat -f -c %T /scratch",
      "cat /volume/file",
      "touch /volume/new 2>&1",
      "ls /named && echo named",
      "hostname",
      "cat /proc/sys/net/ipv4/ip_default_ttl",
      "ls -l /dev/zeroes | cut -c1-3",
    ].join("; ");
    const output = await ok(
      `run --rm --read-only --cap-drop all --cap-add net_raw --cap-add chown --ulimit nofile=100:200
       --tmpfs /scratch:size=1m --volume ${host}:/volume:ro --volume /named --hostname inside
       --sysctl net.ipv4.ip_default_ttl=42 --device /dev/zero:/dev/zeroes:r ${image} sh -c '${script}'`,
    );
    expect(output.split("\n")).toEqual([
      "0",
      "CapPrm:\t0000000000002001",
      "100",
      "touch: /file: Read-only file system",
      "tmpfs",
      "from the host",
      "touch: /volume/new: Read-only file system",
      "named",
      "inside",
      "42",
      "crw",
    ]);
  });
  test("--user, --workdir, --env, --group-add", async () => {
    const script = "id; pwd; echo $COLOR; grep CapEff /proc/self/status";
    expect(
      await ok(
        `run --rm --user user --group-add 77 --workdir /new/dir --env COLOR=red ${image} sh -c '${script}'`,
      ),
    ).toBe("uid=1000(user) gid=1000(user) groups=77,1000(user)\n/new/dir\nred\nCapEff:\t0000000000000000");
  });
  test("docker's seccomp profile is in force; it can be switched off, or be the user's", async () => {
    const script = "grep -e NoNewPrivs -e Seccomp: /proc/self/status; mkdir /new 2>&1; unshare -U true 2>&1";
    const look = (options: string): Promise<string> =>
      ok(`run --rm ${options} ${image} sh -c '${script}; true'`);
    expect(await look("")).toMatch(/^NoNewPrivs:\t0\nSeccomp:\t2\nunshare: .*: Operation not permitted$/);
    expect(await look("--security-opt seccomp=unconfined --security-opt no-new-privileges")).toBe(
      "NoNewPrivs:\t1\nSeccomp:\t0",
    );
    const profile = join(directory, "profile.json");
    const refused = { names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 95 };
    writeFileSync(profile, JSON.stringify({ defaultAction: "SCMP_ACT_ALLOW", syscalls: [refused] }));
    expect(await look(`--security-opt seccomp=${profile}`)).toMatch(
      /mkdir: .*: (Operation n|N)ot supported$/,
    );
  });
  test("--privileged starts also where the host lacks a capability", async () => {
    const script = "mount -t tmpfs none /tmp && test -c /dev/kmsg && echo free";
    expect(await ok(`run --rm --privileged ${image} sh -c '${script}'`)).toBe("free");
  });
  test("the bridge network is there, set up by docker's hook", async () => {
    const script = "ip -4 addr show eth0 | grep -o inet.*/16; ip route | grep -c default";
    expect(await ok(`run --rm ${image} sh -c '${script}'`)).toMatch(/^inet 172\.[0-9.]+\/16\n1$/);
  });
  test("--network none and host", async () => {
    expect(await ok(`run --rm --network none ${image} ls /sys/class/net`)).toBe("lo");
    expect(await ok(`run --rm --network host ${image} ls /sys/class/net`)).toContain("docker0");
  });
  test("namespaces of another container", () =>
    withContainer("first", `${image} sleep 1000`, async () => {
      const pid = await inspect("first", "{{.State.Pid}}");
      const links = (target: string): string => `for n in pid ipc net; do readlink ${target}/ns/$n; done`;
      const seen = await ok(
        `run --rm --pid container:first --network container:first --ipc host ${image} sh -c '${links("/proc/self")}'`,
      );
      const theirs = (await client.ok(["sh", "-c", links(`/proc/${pid}`)])).split("\n");
      const own = await client.ok(["readlink", "/proc/self/ns/ipc"]);
      expect(seen.split("\n")).toEqual([theirs[0] ?? "", own, theirs[2] ?? ""]);
    }));
  test("--ipc container: shares /dev/shm", () =>
    withContainer(
      "sharer",
      `--ipc shareable ${image} sh -c 'echo shared >/dev/shm/file; sleep 1000'`,
      async () => {
        await ok("exec sharer sh -c 'until test -s /dev/shm/file; do sleep 0.1; done'");
        expect(await ok(`run --rm --ipc container:sharer ${image} cat /dev/shm/file`)).toBe("shared");
      },
    ));
  test("--init", async () => {
    expect(await ok(`run --rm --init ${image} cat /proc/1/comm`)).toBe("docker-init");
  });
  test("--pids-limit, --memory, --cpus and --cpuset-cpus are the cgroup's", () =>
    withContainer(
      "limits",
      `--pids-limit 33 --memory 32m --cpus 0.5 --cpuset-cpus 0 ${image} sleep 1000`,
      async () => {
        const script =
          "cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null; cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null; grep Cpus_allowed_list /proc/self/status";
        expect(await ok(`exec limits sh -c '${script}'`)).toBe("33\n33554432\nCpus_allowed_list:\t0");
        await ok("update --memory 48m --memory-swap 48m --pids-limit 44 limits");
        expect(await ok(`exec limits sh -c '${script}'`)).toBe("44\n50331648\nCpus_allowed_list:\t0");
      },
    ));
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
    await docker(
      `run --name oom --memory 16m --memory-swap 16m ${image} dd if=/dev/zero of=/dev/null bs=64M`,
    );
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

describe("what cannot start ends as with runc", () => {
  const cases: [string, string, number, RegExp][] = [
    [
      "a command that is not in the path",
      `${image} nope`,
      127,
      /"nope": executable file not found in \$PATH/,
    ],
    ["a path that is missing", `${image} /nope`, 127, /"\/nope": stat \/nope: no such file or directory/],
    ["a directory", `${image} /etc`, 126, /"\/etc": (is a directory: )?permission denied/],
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
