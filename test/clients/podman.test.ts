// Podman as root, with conmon: the life of a container, what is in it, and what podman says when it cannot start.
import { afterEach, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { executable, waitFor } from "../e2e/harness.ts";
import { openClient } from "./client.ts";
import { image } from "./image.ts";
import { configurePodman, openPodman } from "./podman.ts";

const client = openClient("podman", configurePodman);
const podman = openPodman(client);

beforeAll(async () => {
  await podman.ok(`load --quiet --input ${client.archive()}`);
});

afterEach(async () => {
  const left = await podman.ok("ps --all --format {{.Names}}");
  if (left !== "") await podman.ok("pod rm --all --force");
  if (left !== "") await podman.ok("rm --all --force --time 0");
  expect(left).toBe("");
});

/** Waits until a container's log has the text. */
const expectLog = (name: string, text: string): Promise<boolean> =>
  waitFor(`${text} in the log of ${name}`, async () => {
    const { stdout, stderr } = await podman.run(`logs ${name}`);
    return (stdout + stderr).includes(text);
  });

const inspect = (name: string, format: string): Promise<string> =>
  podman.ok(`inspect --format '${format}' ${name}`);

test("podman info names tsrunc, its path and its version", async () => {
  const info = JSON.parse(await podman.ok("info --format json"));
  expect(info.host.ociRuntime).toMatchObject({ name: "tsrunc", path: resolve(executable) });
  expect(info.host.ociRuntime.version).toMatch(/^tsrunc version \d+\.\d+\.\d+\ncommit: \S+\nspec: 1\.3\.0/);
});

describe("run", () => {
  test("output, standard error, input and exit status arrive", async () => {
    const { status, stdout, stderr } = await podman.run(
      `run --rm -i ${image} sh -c 'cat; echo oops >&2; exit 7'`,
      {
        stdin: "hello\n",
      },
    );
    expect({ status, stdout, stderr }).toEqual({ status: 7, stdout: "hello\n", stderr: "oops\n" });
  });
  test("a process that a signal kills ends with 128 and the signal", async () => {
    expect((await podman.run(`run --rm --pid host ${image} sh -c 'kill -KILL $$'`)).status).toBe(137);
  });
  test("on a terminal", async () => {
    const terminal = podman.onPty(`run --rm -it ${image} sh`);
    terminal.write("tty; stty size; echo do''ne\n");
    await terminal.expect(/\/dev\/pts\/0\r\n24 80\r\ndone/);
    terminal.resize(40, 100);
    await waitFor("the new size", async () => {
      terminal.write("stty size\n");
      await Bun.sleep(100);
      return terminal.output().includes("40 100");
    });
    terminal.write("exit 5\n");
    await terminal.ended;
    expect(terminal.report()).toContain('"status": 5');
  });
  test("user, capabilities, limits, read-only root, tmpfs, volumes, hostname and sysctls", async () => {
    const host = join(client.directory, "volume");
    mkdirSync(host);
    writeFileSync(join(host, "file"), "from the host\n");
    const script = [
      "id -u",
      "grep CapEff /proc/self/status",
      "ulimit -n",
      "touch /file 2>&1",
      "touch /scratch/file && stat -f -c %T /scratch",
      "cat /volume/file",
      "touch /volume/new 2>&1",
      "touch /named/new && echo named",
      "hostname",
      "cat /proc/sys/net/ipv4/ip_default_ttl",
    ].join("; ");
    const output = await podman.ok(
      `run --rm --read-only --cap-drop all --cap-add net_raw,chown --ulimit nofile=100:200 --ulimit nproc=500:600 --tmpfs /scratch:size=1m
       --volume ${host}:/volume:ro --volume named:/named --hostname inside --sysctl net.ipv4.ip_default_ttl=42
       ${image} sh -c '${script}'`,
    );
    expect(output.split("\n")).toEqual([
      "0",
      "CapEff:\t0000000000002001",
      "100",
      "touch: /file: Read-only file system",
      "tmpfs",
      "from the host",
      "touch: /volume/new: Read-only file system",
      "named",
      "inside",
      "42",
    ]);
  });
  test("--user by name, --workdir and --env", async () => {
    const script = "id; pwd; echo $COLOR; grep CapEff /proc/self/status";
    expect(
      await podman.ok(`run --rm --user user --workdir /tmp --env COLOR=red ${image} sh -c '${script}'`),
    ).toBe("uid=1000(user) gid=1000(user) groups=1000(user)\n/tmp\nred\nCapEff:\t0000000000000000");
  });
  test("podman's seccomp profile is in force; it can be switched off, or be the user's", async () => {
    const script = "grep -e Seccomp: -e NoNewPrivs /proc/self/status; mkdir /new 2>&1";
    const look = (options: string): Promise<string> =>
      podman.ok(`run --rm ${options} ${image} sh -c '${script}; true'`);
    expect(await look("")).toBe("NoNewPrivs:\t0\nSeccomp:\t2");
    expect(await look("--security-opt seccomp=unconfined --security-opt no-new-privileges")).toBe(
      "NoNewPrivs:\t1\nSeccomp:\t0",
    );
    const profile = join(client.directory, "profile.json");
    const refused = { names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 95 };
    writeFileSync(profile, JSON.stringify({ defaultAction: "SCMP_ACT_ALLOW", syscalls: [refused] }));
    expect(await look(`--security-opt seccomp=${profile}`)).toMatch(
      /^NoNewPrivs:\t0\nSeccomp:\t2\nmkdir: .*: (Operation n|N)ot supported$/,
    );
  });
  test("--privileged", async () => {
    const script =
      "mount -t tmpfs none /tmp && test -b /dev/loop0 -o -c /dev/fuse -o -c /dev/kmsg && echo free";
    expect(await podman.ok(`run --rm --privileged ${image} sh -c '${script}'`)).toBe("free");
  });
  test("--device, --shm-size and --pids-limit", async () => {
    const script =
      "ls -l /dev/zeroes; head -c 2 /dev/zeroes | xxd -p; df -k /dev/shm | tail -1; cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null; true";
    const output = await podman.ok(
      `run --rm --device /dev/zero:/dev/zeroes:r --shm-size 3m --pids-limit 33 --cpu-shares 512 ${image} sh -c '${script}'`,
    );
    expect(output).toMatch(/^crw.* 1, +5 .*\/dev\/zeroes\n0000\nshm +3072 .*\n33$/);
  });
  test("namespaces of another container", async () => {
    await podman.ok(`run --detach --name first ${image} sleep 1000`);
    const pid = await inspect("first", "{{.State.Pid}}");
    const links = (target: string): string => `for n in pid ipc uts; do readlink ${target}/ns/$n; done`;
    const seen = await podman.ok(
      `run --rm --pid container:first --ipc container:first --uts container:first --cap-add sys_ptrace
       ${image} sh -c '${links("/proc/self")}; ps | grep -c sleep'`,
    );
    const host = await client.ok(["sh", "-c", links(`/proc/${pid}`)]);
    expect(seen).toMatch(new RegExp(`^${host.replaceAll(/[[\]]/g, "\\$&")}\n[1-9]$`));
    await podman.ok("rm --force --time 0 first");
  });
  test("--uidmap gives a user namespace, with the image's files in it", async () => {
    const script = "cat /proc/self/uid_map; stat -c %u /bin/busybox; touch /new && id -u";
    const output = await podman.ok(
      `run --rm --uidmap 0:200000:65536 --gidmap 0:200000:65536 ${image} sh -c '${script}'`,
    );
    expect(output.replaceAll(/ +/g, " ")).toBe(" 0 200000 65536\n0\n0");
  });
  test("--preserve-fds", async () => {
    const inner = `run --rm --preserve-fds 1 ${image} cat /proc/self/fd/3`;
    expect(
      (await podman.run(inner, { prefix: ["sh", "-c", 'exec 3</etc/hostname; exec "$@"', "sh"] })).stdout,
    ).toBe(readFileSync("/etc/hostname", "utf8"));
  });
  test("--init reaps", async () => {
    expect(await podman.ok(`run --rm --init ${image} sh -c 'cat /proc/1/comm'`)).toBe("podman-init");
  });
  test("secrets as files and as environment", async () => {
    writeFileSync(join(client.directory, "secret"), "xyzzy");
    await podman.ok(`secret create word ${join(client.directory, "secret")}`);
    const script = "cat /run/secrets/word; echo; echo $WORD";
    expect(
      await podman.ok(`run --rm --secret word --secret word,type=env,target=WORD ${image} sh -c '${script}'`),
    ).toBe("xyzzy\nxyzzy");
  });
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
    // Debian's runc says `permission denied` here, today's `is a directory`; the status is the same.
    ["a directory", `${image} /etc`, 126, /"\/etc": (is a directory: )?permission denied/],
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
