// Kubernetes' way to tsrunc, containerd's CRI plugin: what a pod's and a container's security context, mounts, devices
// and sysctls become.
import { describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { waitFor } from "../e2e/harness.ts";
import { type Fields, openCri, type Pod } from "./cri.ts";

const cri = openCri("cri-security");
const { client, withPod, execute } = cri;

const secure = (security_context: Fields): Fields => ({ linux: { security_context } });
/** The output of a script in a container with the security context, in a new pod without one. */
async function runWith(script: string, security: Fields): Promise<string> {
  let output = "";
  await withPod({}, async (pod) => {
    output = await pod.script(script, secure(security));
  });
  return output;
}

describe("a user namespace for the pod", () => {
  const mapping = { host_id: 200000, container_id: 0, length: 65536 };
  const userns = { mode: "POD", uids: [mapping], gids: [mapping] };
  const security = { namespace_options: { userns_options: userns } };
  const withUserns = (use: (pod: Pod) => Promise<void>): Promise<void> => withPod(secure(security), use);
  const tidy = (text: string): string => text.replaceAll(/ +/g, " ");

  test("the ids, the image's and a volume's files in it, and two containers", () =>
    withUserns(async (pod) => {
      const volume = join(client.directory, "userns-volume");
      mkdirSync(volume);
      chmodSync(volume, 0o777);
      writeFileSync(join(volume, "file"), "from the host\n");
      const mounts = [
        { host_path: volume, container_path: "/volume", uidMappings: [mapping], gidMappings: [mapping] },
      ];
      const script =
        "id -u; cat /proc/self/uid_map /proc/self/gid_map; stat -c %u:%g /bin/busybox /volume/file; touch /volume/new /new; cat /volume/file";
      expect(tidy(await pod.script(script, { ...secure(security), mounts }))).toBe(
        "0\n 0 200000 65536\n 0 200000 65536\n0:0\n0:0\nfrom the host\n",
      );
      // The volume is mapped: its files are root's on the host too.
      expect(await client.ok(["stat", "-c", "%u:%g", join(volume, "new")])).toBe("0:0");
      const user = secure({ ...security, run_as_user: { value: 1000 } });
      const id = await pod.run("other", ["sleep", "1000"], user);
      const { stdout } = await execute(id, "sh", "-c", "id -u; readlink /proc/self/ns/user");
      expect(stdout).toMatch(/^1000\nuser:/);
      expect(stdout).not.toContain(await client.ok(["readlink", "/proc/self/ns/user"]));
    }));
  test("has no privilege over what is the host's", () =>
    withUserns(async (pod) => {
      const script =
        "echo 1 >/proc/sys/vm/overcommit_memory; hostname other; mount -t tmpfs none /tmp; grep -c Seccomp:.2 /proc/self/status";
      const confined = secure({ ...security, seccomp: { profile_type: "RuntimeDefault" } });
      expect(await pod.script(`(${script}) 2>&1`, confined)).toMatch(
        /overcommit_memory: Permission denied\n.*hostname: .*not permitted\n.*mount: .*\n1\n$/s,
      );
    }));
});

describe("security", () => {
  test("privileged: all capabilities and devices, sysfs writable, no seccomp", async () => {
    const security = { privileged: true };
    await withPod(secure(security), async (pod) => {
      const script =
        "mkdir -p /mnt; mount -t tmpfs none /mnt && echo mounted; test -c /dev/kmsg && echo devices; grep -e Seccomp: /proc/self/status; grep ' /sys ' /proc/mounts";
      expect(await pod.script(script, secure(security))).toMatch(
        /^mounted\ndevices\nSeccomp:\t0\nsysfs \/sys sysfs rw,/,
      );
    });
  });
  test("seccomp: the runtime's default, none, and a file of the node's", async () => {
    const script = "grep Seccomp: /proc/self/status; mkdir /new 2>&1; unshare -U true 2>&1; true";
    expect(await runWith(script, { seccomp: { profile_type: "RuntimeDefault" } })).toMatch(
      /^Seccomp:\t2\nunshare: .*: Operation not permitted\n$/,
    );
    expect(await runWith(script, { seccomp: { profile_type: "Unconfined" } })).toBe("Seccomp:\t0\n");
    const profile = join(client.directory, "profile.json");
    const refused = { names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 95 };
    writeFileSync(profile, JSON.stringify({ defaultAction: "SCMP_ACT_ALLOW", syscalls: [refused] }));
    expect(await runWith(script, { seccomp: { profile_type: "Localhost", localhost_ref: profile } })).toMatch(
      /^Seccomp:\t2\nmkdir: .*: (Operation n|N)ot supported\n/,
    );
  });
  test("read-only root, masked and read-only paths, no new privileges", async () => {
    const script =
      "touch /new; wc -c </proc/meminfo; echo 42 >/proc/sys/net/ipv4/ip_default_ttl; grep NoNewPrivs /proc/self/status";
    expect(
      await runWith(`(${script}) 2>&1`, {
        readonly_rootfs: true,
        no_new_privs: true,
        masked_paths: ["/proc/meminfo", "/proc/acpi"],
        readonly_paths: ["/proc/sys"],
      }),
    ).toMatch(
      /^touch: \/new: Read-only file system\n0\n.*ip_default_ttl: Read-only file system\nNoNewPrivs:\t1\n$/s,
    );
  });
  test("user, groups and capabilities", async () => {
    const script = "id; grep -e CapPrm -e CapBnd /proc/self/status";
    expect(
      await runWith(script, {
        run_as_user: { value: 1000 },
        run_as_group: { value: 1000 },
        supplemental_groups: [77],
        supplemental_groups_policy: "Strict",
        capabilities: { drop_capabilities: ["ALL"], add_capabilities: ["NET_RAW", "CHOWN"] },
      }),
    ).toBe(
      "uid=1000(user) gid=1000(user) groups=77,1000(user)\nCapPrm:\t0000000000000000\nCapBnd:\t0000000000002001\n",
    );
    expect(
      await runWith("grep CapEff /proc/self/status", {
        capabilities: {
          drop_capabilities: ["ALL"],
          add_capabilities: ["CHOWN"],
          add_ambient_capabilities: ["CHOWN"],
        },
      }),
    ).toBe("CapEff:\t0000000000000001\n");
  });
});

test("sysctls of the pod", () => {
  const sysctls = { "net.ipv4.ip_default_ttl": "42", "kernel.shm_rmid_forced": "1" };
  return withPod({ linux: { sysctls } }, async (pod) => {
    const script = "cat /proc/sys/net/ipv4/ip_default_ttl /proc/sys/kernel/shm_rmid_forced";
    expect(await pod.script(script)).toBe("42\n1\n");
  });
});

test("devices", () =>
  withPod({}, async (pod) => {
    // Not one that every container has.
    const devices = [{ host_path: "/dev/fuse", container_path: "/dev/other", permissions: "r" }];
    const script = ": </dev/other && echo read; : >/dev/other";
    expect(await pod.script(`(${script}) 2>&1`, { devices })).toMatch(
      /^read\n.*\/dev\/other: Operation not permitted\n$/,
    );
  }));

describe("mounts", () => {
  /** A directory that is a shared mount, as propagation needs it. */
  const makeShared = async (name: string): Promise<string> => {
    const path = join(client.directory, name);
    mkdirSync(path);
    await client.ok(["mount", "-t", "tmpfs", "tsrunc-shared", path]);
    await client.ok(["mount", "--make-shared", path]);
    mkdirSync(join(path, "inner"));
    return path;
  };
  test("read-only, and read-only with what is mounted below", () =>
    withPod({}, async (pod) => {
      const host_path = await makeShared("recursive");
      await client.ok(["mount", "-t", "tmpfs", "tsrunc-inner", join(host_path, "inner")]);
      const script = "touch /data/new 2>&1; touch /data/inner/new 2>&1 && echo written";
      const mount = { host_path, container_path: "/data", readonly: true };
      expect(await pod.script(script, { mounts: [mount] })).toBe(
        "touch: /data/new: Read-only file system\nwritten\n",
      );
      expect(await pod.script(script, { mounts: [{ ...mount, recursive_read_only: true }] })).toBe(
        "touch: /data/new: Read-only file system\ntouch: /data/inner/new: Read-only file system\n",
      );
      await client.ok(["umount", "--recursive", host_path]);
    }));
  test("propagation: none, from the host, and both ways", () =>
    withPod(secure({ privileged: true }), async (pod) => {
      const host_path = await makeShared("propagated");
      const run = (name: string, propagation: string): Promise<string> =>
        pod.run(name, ["sleep", "1000"], {
          ...secure({ privileged: true }),
          mounts: [{ host_path, container_path: "/data", propagation }],
        });
      const alone = await run("alone", "PROPAGATION_PRIVATE");
      const slave = await run("slave", "PROPAGATION_HOST_TO_CONTAINER");
      const shared = await run("shared", "PROPAGATION_BIDIRECTIONAL");
      const sees = async (id: string): Promise<boolean> =>
        (await execute(id, "grep", "-q", " /data/inner ", "/proc/mounts")).status === 0;
      const hostSees = (): boolean =>
        readFileSync("/proc/self/mounts", "utf8").includes(` ${host_path}/inner tmpfs`);

      await client.ok(["mount", "-t", "tmpfs", "tsrunc-inner", join(host_path, "inner")]);
      expect([await sees(alone), await sees(slave), await sees(shared)]).toEqual([false, true, true]);
      await client.ok(["umount", join(host_path, "inner")]);
      expect([await sees(slave), await sees(shared)]).toEqual([false, false]);

      await execute(slave, "mount", "-t", "tmpfs", "none", "/data/inner");
      expect([hostSees(), await sees(shared)]).toEqual([false, false]);
      await execute(shared, "mount", "-t", "tmpfs", "none", "/data/inner");
      expect(hostSees()).toBe(true);
      await execute(shared, "umount", "/data/inner");
      await waitFor("the host's end of it", () => !hostSees());
      await client.ok(["umount", host_path]);
    }));
});
