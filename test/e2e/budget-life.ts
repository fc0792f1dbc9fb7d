// The life of a container in commands, each measured, on a host that looks the same everywhere.
import { readFileSync, rmSync } from "node:fs";
import { readStatus, type Sandbox, waitFor } from "./harness.ts";

/** v1 hierarchies that every host has, each by itself. The others differ from host to host. */
const COMMON = ["cpuset", "devices", "freezer", "pids"].map((name) => `/sys/fs/cgroup/${name}`);

/** The cgroups that a host offers: the counts depend on them. */
export interface CgroupKind {
  readonly name: "cgroup1" | "cgroup2";
  /** The command in front of a command that shall see no more than that. */
  readonly prefix: readonly string[];
}

/** The kind of this host; undefined if it has neither the common hierarchies nor the unified one alone. */
export function probeCgroupKind(): CgroupKind | undefined {
  const mounts = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .flatMap((line) => {
      const [, path, type] = /^(?:\S+ ){4}(\S+) .* - (cgroup2?) /.exec(line) ?? [];
      return path === undefined || type === undefined ? [] : [{ path, type }];
    });
  if (mounts.some(({ path, type }) => path === "/sys/fs/cgroup" && type === "cgroup2"))
    return { name: "cgroup2", prefix: [] };
  if (!COMMON.every((common) => mounts.some(({ path, type }) => path === common && type === "cgroup")))
    return undefined;
  const others = mounts.map(({ path }) => path).filter((path) => !COMMON.includes(path));
  const script = 'for path in $OTHERS; do umount "$path" || exit; done; exec "$@"';
  const environment = ["env", `OTHERS=${others.join(" ")}`];
  return { name: "cgroup1", prefix: [...environment, "unshare", "--mount", "sh", "-c", script, "sh"] };
}

/**
 * Measures each command on a bundle whose program ends at once (`short`) or waits (`long`). `run` comes twice: first
 * with nothing in the state directory, no cached seccomp program either. `prefix` stands before what is not measured.
 */
export async function measureLife<T>(
  box: Sandbox,
  prefix: readonly string[],
  bundles: { readonly short: string; readonly long: string },
  measure: (args: readonly string[]) => Promise<T>,
): Promise<Record<string, T>> {
  const id = box.id();
  const on = (...args: string[]): Promise<T> => measure(["--root", box.root, ...args]);
  rmSync(box.root, { recursive: true, force: true });
  const rows: Record<string, T> = {};
  rows["run, nothing cached"] = await on("run", "--bundle", bundles.short, id);
  rows.run = await on("run", "--bundle", bundles.short, id);
  rows.create = await on("create", "--bundle", bundles.long, id);
  rows.state = await on("state", id);
  rows.start = await on("start", id);
  rows.exec = await on("exec", id, "true");
  rows.list = await on("list");
  rows.kill = await on("kill", id, "KILL");
  await waitFor("the container's end", async () => (await readStatus(box, id)) === "stopped");
  rows.delete = await on("delete", id);
  await box.ok(["run", "--detach", "--bundle", bundles.long, id], { prefix });
  rows["delete --force"] = await on("delete", "--force", id);
  return rows;
}
