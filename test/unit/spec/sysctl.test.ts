import { expect, test } from "bun:test";
import { sysctlNamespace, sysctlPath } from "../../../src/spec/sysctl.ts";

test.each([
  ["net.ipv4.ip_forward", "net/ipv4/ip_forward", "network"],
  ["net/ipv4/ip_forward", "net/ipv4/ip_forward", "network"],
  ["net.ipv4.conf.eth0/100.rp_filter", "net/ipv4/conf/eth0.100/rp_filter", "network"],
  ["net/ipv4/conf/eth0.100/rp_filter", "net/ipv4/conf/eth0.100/rp_filter", "network"],
  ["kernel.sem", "kernel/sem", "ipc"],
  ["kernel/shm_rmid_forced", "kernel/shm_rmid_forced", "ipc"],
  ["fs.mqueue.msg_max", "fs/mqueue/msg_max", "ipc"],
  ["kernel.domainname", "kernel/domainname", "uts"],
  ["user.max_user_namespaces", "user/max_user_namespaces", "user"],
] as const)("%s is %s of the %s namespace", (name, path, type) => {
  expect(sysctlPath(name)).toBe(path);
  expect(sysctlNamespace(path)).toBe(type);
});

test.each(["kernel.panic", "kernel/panic", "kernel.semx", "fs.mqueue", "net", "vm.swappiness"])(
  "%s belongs to no namespace",
  (name) => expect(sysctlNamespace(sysctlPath(name) ?? "")).toBeUndefined(),
);

test.each([
  "",
  ".",
  "..",
  "/",
  "net/../kernel/panic",
  "net.//.kernel.panic",
  "net..ipv4",
  "/net/x",
  "net/",
  "net/./x",
])("%j is no name", (name) => expect(sysctlPath(name)).toBeUndefined());
