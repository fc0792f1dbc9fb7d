// What the hosts of the golden plans have in common.
import type { Facts } from "../../src/compile/facts.ts";

export const host: Pick<
  Facts,
  "arch" | "euid" | "mayMount" | "isInUserNamespace" | "kernel" | "bundle" | "rootfs" | "lsm"
> = {
  arch: "x86_64",
  euid: 0,
  mayMount: true,
  isInUserNamespace: false,
  kernel: [6, 1],
  bundle: "/bundle",
  rootfs: "/bundle/rootfs",
  lsm: { apparmor: true, selinux: true },
};
