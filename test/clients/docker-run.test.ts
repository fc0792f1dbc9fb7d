// dockerd with tsrunc as the default runtime: what `docker run` sets up in a container, its network by a hook.
import { describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openDocker } from "./docker.ts";
import { image } from "./image.ts";

const { client, command, docker, ok, inspect, withContainer } = openDocker("docker-run");
const { directory } = client;

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
