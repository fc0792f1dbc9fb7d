// Podman as root, with conmon: what `podman run` sets up in a container.
import { describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { waitFor } from "../e2e/harness.ts";
import { openClient } from "./client.ts";
import { image } from "./image.ts";
import { configurePodman, openPodman } from "./podman.ts";

const client = openClient("podman-run", configurePodman);
const podman = openPodman(client);
const { inspect } = podman;

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
