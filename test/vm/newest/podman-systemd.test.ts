// systemd as a container's first process, by Podman: a system that is up, with cgroups of its own, and that ends when told.
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { waitFor } from "../../e2e/harness.ts";
import { readCgroup } from "../cgroups.ts";
import { type Account, image, openPodman, root, tester, usr } from "./podman.ts";

const directory = openPodman();

/** Looks around in the container, starts a unit with limits there and stops it. */
const LOOK = `systemctl is-system-running --wait
tr '\\0' '\\n' </proc/1/environ | grep ^container=
cat /proc/self/cgroup
grep -o memory /sys/fs/cgroup/cgroup.subtree_control
mkdir /sys/fs/cgroup/made && rmdir /sys/fs/cgroup/made && echo cgroups are writable
for place in /run /run/lock /tmp /var/log/journal; do stat -f -c "$place %T" $place; done
systemd-run --quiet --unit=work -p MemoryMax=33554432 -p TasksMax=7 sleep 1000
systemctl is-active work
cat /sys/fs/cgroup/system.slice/work.service/memory.max /sys/fs/cgroup/system.slice/work.service/pids.max
systemctl stop work
systemctl is-active work`;

const expected = `running
container=podman
0::/init.scope
memory
cgroups are writable
/run tmpfs
/run/lock tmpfs
/tmp tmpfs
/var/log/journal tmpfs
active
33554432
7
inactive
`;

interface Life {
  readonly seen: string;
  /** What Podman tells of it: the runtime's name, whether it knows of systemd, and the signal that stops it. */
  readonly known: string;
  readonly cgroup: string;
  readonly end: string;
}

/** A container's whole life; `podman stop` would kill it (status 137) after ten seconds. */
async function live(account: Account, globals: readonly string[], words: readonly string[]): Promise<Life> {
  const podman = (...args: string[]): string => account.ok("podman", ...globals, ...args);
  const inspect = (format: string): string => podman("inspect", "--format", format, "system");
  podman("run", "--detach", "--name", "system", "--network", "none", "--volume", usr, ...words);
  try {
    const path = inspect("{{.State.CgroupPath}}");
    // A process that joins the container's own cgroup before keeps systemd from handing controllers down.
    await waitFor("its cgroups", () => readCgroup(path, "cgroup.subtree_control") !== "", 40_000);
    const seen = account.run("podman", ...globals, "exec", "system", "sh", "-c", LOOK);
    const known = inspect("{{.OCIRuntime}} {{.Config.SystemdMode}} {{.Config.StopSignal}}");
    const cgroup = path.replace(/[0-9a-f]{64}/, "ID");
    podman("stop", "system");
    const end = inspect("{{.State.Status}} {{.State.ExitCode}}");
    return { seen: seen.stdout + seen.stderr, known, cgroup, end };
  } finally {
    podman("rm", "--force", "--time", "0", "system");
  }
}

const same = { seen: expected, known: "tsrunc true SIGRTMIN+3", end: "exited 0" };

describe("root", () => {
  test("the image's /sbin/init, with systemd's cgroups; as with crun", async () => {
    const life = await live(root, [], [image]);
    expect(life).toEqual({ ...same, cgroup: "/machine.slice/libpod-ID.scope" });
    expect(await live(root, ["--runtime=crun"], [image])).toEqual({ ...life, known: "crun true SIGRTMIN+3" });
  });
  test("--systemd=always, with Podman's own cgroups", async () => {
    const words = ["--systemd=always", image, "sh", "-c", "exec /lib/systemd/systemd"];
    expect(await live(root, ["--cgroup-manager=cgroupfs"], words)).toEqual({
      ...same,
      cgroup: "/libpod_parent/libpod-ID",
    });
  });
  test("--rootfs with an overlay", async () => {
    const words = ["--rootfs", `${join(directory, "root")}:O`, "/usr/sbin/init"];
    // Podman sets the variable for images only.
    expect(await live(root, [], words)).toMatchObject({
      ...same,
      seen: expected.replace("container=podman\n", ""),
    });
  });
});

test("an ordinary user; as with crun", async () => {
  const life = await live(tester, [], [image]);
  const cgroup = "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope";
  expect(life).toEqual({ ...same, cgroup });
  expect(await live(tester, ["--runtime=crun"], [image])).toEqual({ ...life, known: "crun true SIGRTMIN+3" });
});
