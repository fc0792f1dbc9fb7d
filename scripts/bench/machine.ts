// Names the machine that the numbers are of, without its paths or addresses.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import type { Runtime } from "./runtimes.ts";

/** Name and value, for a table. */
export function describeMachine(runtimes: readonly Runtime[]): (readonly [string, string])[] {
  const processors = cpus();
  const [hyperfine = ""] = execFileSync("hyperfine", ["--version"], { encoding: "utf8" }).split("\n");
  return [
    ["processor", `${processors[0]?.model.trim() ?? "unknown"}, ${processors.length} cores${tellVirtual()}`],
    ["memory", `${Math.round(totalmem() / 2 ** 30)} GB`],
    ["kernel", `Linux ${release()}`],
    ["system", readOsName()],
    ["cgroups", describeCgroups()],
    ["runtimes", runtimes.map(({ label }) => label).join(", ")],
    ["engine", `Bun ${Bun.version}`],
    ["timer", hyperfine],
    ["date", new Date().toISOString().slice(0, 10)],
  ];
}

/** Load of the last minute: above some tenths somebody else works, and the numbers tell of that too. */
export function readLoad(): number {
  return loadavg()[0] ?? 0;
}

function tellVirtual(): string {
  return / hypervisor /.test(readFileSync("/proc/cpuinfo", "utf8")) ? ", virtual machine" : "";
}

function readOsName(): string {
  const text = readFileSync("/etc/os-release", "utf8");
  return /^PRETTY_NAME="?([^"\n]+)/m.exec(text)?.[1] ?? "unknown";
}

function describeCgroups(): string {
  const mounts = readFileSync("/proc/self/mountinfo", "utf8");
  const count = mounts.match(/ - cgroup /g)?.length ?? 0;
  if (count === 0) return "v2";
  return `v1, ${count} hierarchies${/ - cgroup2 /.test(mounts) ? ", and v2 beside them" : ""}`;
}
