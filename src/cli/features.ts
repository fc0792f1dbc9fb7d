import { existsSync, readFileSync } from "node:fs";
import { readCgroupLayout } from "../cgroup/layout.ts";
import type { SeccompSupport } from "../host/seccomp-support.ts";
import { CAPABILITIES } from "../linux/capabilities.ts";
import { listMountOptions } from "../linux/mount-option-table.ts";
import { NAMESPACE_TYPES, NAMESPACES } from "../linux/namespaces.ts";
import { UNSAFE_ANNOTATIONS } from "../spec/annotations.ts";
import type { Features } from "../spec/features.ts";
import { MEMORY_POLICY_FLAGS, MEMORY_POLICY_MODES } from "../spec/names.ts";
import { SPEC_VERSION } from "../spec/state.ts";
import type { CommandDefinition } from "./command.ts";
import { COMMIT, VERSION } from "./version.ts";

const HOOKS = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];

/** What this build does, of that what this kernel knows ("Features structure" in features.md). */
export function collectFeatures({ seccomp, libseccomp }: SeccompSupport): Features {
  const on = { enabled: true };
  return {
    ociVersionMin: "1.0.0",
    ociVersionMax: SPEC_VERSION,
    hooks: HOOKS,
    mountOptions: listMountOptions(),
    linux: {
      namespaces: NAMESPACE_TYPES.filter((type) => existsSync(`/proc/self/ns/${NAMESPACES[type][2]}`)).sort(),
      capabilities: CAPABILITIES.slice(0, readLastCapability() + 1),
      cgroup: { v1: true, v2: true, systemd: true, systemdUser: true, rdma: true },
      seccomp,
      apparmor: on,
      selinux: on,
      intelRdt: { enabled: true, schemata: true, monitoring: true },
      memoryPolicy: { modes: MEMORY_POLICY_MODES, flags: MEMORY_POLICY_FLAGS },
      mountExtensions: { idmap: on },
      netDevices: on,
    },
    annotations: {
      "org.opencontainers.tsrunc.version": VERSION,
      "org.opencontainers.tsrunc.commit": COMMIT,
      "org.opencontainers.tsrunc.checkpoint.enabled": "false",
      ...describeCgroups(),
      // runc's name for it: absent where libseccomp is not installed.
      ...(libseccomp ? { "io.github.seccomp.libseccomp.version": libseccomp.join(".") } : {}),
    },
    potentiallyUnsafeConfigAnnotations: UNSAFE_ANNOTATIONS,
  };
}

/** Which cgroup controllers containers have here; none is told where no cgroups are mounted. */
function describeCgroups(): Readonly<Record<string, string>> {
  const { mode, controllers, unified } = readCgroupLayout();
  const names =
    mode === "v2" && unified ? readControllers(unified.mountPoint) : [...controllers.keys()].sort();
  return {
    "org.opencontainers.tsrunc.cgroup.mode": mode,
    "org.opencontainers.tsrunc.cgroup.controllers": names.join(","),
  };
}

/** cgroup.controllers of the hierarchy's root, or of the part of it that is mounted here. */
function readControllers(mountPoint: string): readonly string[] {
  return readFileSync(`${mountPoint}/cgroup.controllers`, "utf8").trim().split(" ").sort();
}

function readLastCapability(): number {
  return Number(readFileSync("/proc/sys/kernel/cap_last_cap", "utf8"));
}

export const command: CommandDefinition = {
  usage: "",
  description: "Shows what this build supports, as JSON.",
  options: [],
  minArgs: 0,
  maxArgs: 0,
  run: async ({ ctx, print }) => {
    const { describeSupport } = await import("../host/seccomp-support.ts");
    print(`${JSON.stringify(collectFeatures(describeSupport(ctx)), null, 2)}\n`);
    return 0;
  },
};
