// What the tests of namespaces share: a look at them, changes of a config, and processes that hold new ones.
import { afterAll } from "bun:test";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { addUserNamespace, type Config, dropNamespace } from "./config.ts";
import { waitFor } from "./harness.ts";

/** The name of each type in /proc/PID/ns. */
export const links: Readonly<Record<string, string>> = {
  pid: "pid",
  network: "net",
  ipc: "ipc",
  uts: "uts",
  mount: "mnt",
  cgroup: "cgroup",
  user: "user",
  time: "time",
};

export const readOwn = (link: string): string => readlinkSync(`/proc/self/ns/${link}`);
/** Prints a line for each: its name in /proc/PID/ns, and the link. */
export const show = [
  "sh",
  "-c",
  "for n in pid net ipc uts mnt cgroup user time; do echo $n $(readlink /proc/self/ns/$n); done",
];

/** Reads what `show` printed. */
export function parse(output: string): Map<string, string> {
  const pairs = output
    .trim()
    .split("\n")
    .map((line) => line.split(" ") as [string, string]);
  return new Map(pairs);
}

/** Gives a function that starts a process in new namespaces; after all tests of the file, or each, they end. */
export function makeHolders(whenToEnd: (end: () => void) => void = afterAll) {
  const holders: ChildProcess[] = [];
  whenToEnd(() => {
    for (const holder of holders.splice(0))
      if (holder.pid !== undefined && holder.exitCode === null) process.kill(-holder.pid, "SIGKILL");
  });

  /** By unshare(1); returns the path of /proc/PID/ns of one inside them. */
  return async function holdNamespaces(flags: readonly string[]): Promise<string> {
    const holder = spawn("unshare", [...flags, "--fork", "sleep", "500"], {
      stdio: "ignore",
      detached: true,
    });
    holders.push(holder);
    const children = `/proc/${holder.pid}/task/${holder.pid}/children`;
    const child = await waitFor(`unshare ${flags.join(" ")}`, () => {
      const pid = existsSync(children) ? readFileSync(children, "utf8").trim() : "";
      return pid !== "" && readFileSync(`/proc/${pid}/cmdline`, "utf8").startsWith("sleep") ? pid : undefined;
    });
    if (flags.includes("--user")) {
      writeFileSync(`/proc/${child}/uid_map`, "0 100000 65536");
      writeFileSync(`/proc/${child}/gid_map`, "0 100000 65536");
    }
    return `/proc/${child}/ns`;
  };
}

/** Lets a config join a namespace by its path. */
export function setPath(config: Config, type: string, path: string): void {
  dropNamespace(config, type);
  config.linux.namespaces.push({ type, path });
}

/** Joins a user namespace by path, with the mappings that it has (runc before 1.3 cannot do without). */
export function joinUser(config: Config, directory: string): void {
  addUserNamespace(config);
  setPath(config, "user", `${directory}/user`);
}
