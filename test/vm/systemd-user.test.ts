// A user's own systemd: unit, properties, a process that joins, the end. (Whole rootless containers: elsewhere.)
import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const isReady = existsSync("/run/user/1000/bus");
const script = `
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createCgroup } from "SRC/cgroup/create.ts";
import { readCgroupLayout } from "SRC/cgroup/layout.ts";
import { planCgroup } from "SRC/cgroup/plan.ts";
import { attachToUnit, readSystemdFacts, setUnitProperties, startUnit, stopUnit } from "SRC/host/systemd.ts";
const log = { debug() {}, info() {}, warn() {}, error() {} };
const ctx = { euid: process.geteuid(), env: process.env, installDir: "DIST", log };
const systemd = readSystemdFacts(ctx);
const resources = { memory: { limit: 67108864n }, pids: { limit: 40n } };
const plan = planCgroup(readCgroupLayout(), { id: "user-test", resources, systemd });
const [first, second] = [spawn("sleep", ["100"]), spawn("sleep", ["100"])];
const cgroupOf = ({ pid }) => readFileSync("/proc/" + pid + "/cgroup", "utf8").trim();
startUnit(ctx, plan.unit, first.pid);
createCgroup(plan);
setUnitProperties(ctx, plan.unit.record, plan.unit.lateProperties);
attachToUnit(ctx, plan.unit.record, second.pid);
const dir = plan.record.paths.unified;
const read = (file) => readFileSync(dir + "/" + file, "utf8").trim();
console.log(JSON.stringify({ systemd: systemd.isUser, dir, cgroups: [first, second].map(cgroupOf), memory: read("memory.max"), pids: read("pids.max") }));
stopUnit(ctx, plan.unit.record);
stopUnit(ctx, plan.unit.record);
try { read("cgroup.procs"); console.log("left"); } catch { console.log("gone"); }
`;

test.skipIf(!isReady)("by an ordinary user", () => {
  const project = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");
  const code = script.replaceAll("SRC", `${project}/src`).replaceAll("DIST", `${project}/dist`);
  const path = "/tmp/tsrunc-systemd-user.ts";
  Bun.spawnSync(["sh", "-c", `cat >${path}`], { stdin: Buffer.from(code) });
  const env = ["XDG_RUNTIME_DIR=/run/user/1000", "PATH=/usr/bin:/bin"];
  const result = Bun.spawnSync([
    "runuser",
    "-u",
    "tester",
    "--",
    "env",
    "-i",
    ...env,
    process.execPath,
    path,
  ]);
  const [first = "", last] = result.stdout.toString().trim().split("\n");
  expect(result.stderr.toString()).toBe("");
  const cgroup = "/user.slice/user-1000.slice/user@1000.service/user.slice/tsrunc-user-test.scope";
  expect(JSON.parse(first)).toEqual({
    systemd: true,
    dir: `/sys/fs/cgroup${cgroup}`,
    cgroups: [`0::${cgroup}`, `0::${cgroup}`],
    memory: "67108864",
    pids: "40",
  });
  expect(last).toBe("gone");
  expect(readFileSync("/proc/self/cgroup", "utf8")).not.toContain(cgroup);
});
