// The namespaces of runtime-spec ("Namespaces" in config-linux.md) with the kernel's names. Source: namespaces(7).

export type NamespaceType = "pid" | "network" | "mount" | "ipc" | "uts" | "user" | "cgroup" | "time";

/** CLONE_NEW* flag and file in /proc/PID/ns of each type. */
export const NAMESPACES: Readonly<
  Record<NamespaceType, readonly [flag: number, name: string, file: string]>
> = {
  time: [0x00000080, "CLONE_NEWTIME", "time"],
  mount: [0x00020000, "CLONE_NEWNS", "mnt"],
  cgroup: [0x02000000, "CLONE_NEWCGROUP", "cgroup"],
  uts: [0x04000000, "CLONE_NEWUTS", "uts"],
  ipc: [0x08000000, "CLONE_NEWIPC", "ipc"],
  user: [0x10000000, "CLONE_NEWUSER", "user"],
  pid: [0x20000000, "CLONE_NEWPID", "pid"],
  network: [0x40000000, "CLONE_NEWNET", "net"],
};

export const NAMESPACE_TYPES = Object.keys(NAMESPACES) as readonly NamespaceType[];
