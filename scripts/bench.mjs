// `npm run bench [RUNTIME...]`: tsrunc against runc and crun (and any other runtime given by path): wall time in
// interleaved rounds of hyperfine, peak memory, a waiting init's memory, and where the time of `run` goes.
import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

const ROUNDS = 8;
const RUNS = 5;

const tsrunc = join(import.meta.dirname, "../dist/tsrunc");
const find = (name) => spawnSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).stdout.trim();
const runtimes = [tsrunc, find("runc"), find("crun"), ...process.argv.slice(2)].filter((path) => path !== "");
const folder = mkdtempSync(join(tmpdir(), "tsrunc-bench-"));
const env = { PATH: process.env.PATH };
const id = `bench-${process.pid}`;
const root = (runtime) => join(folder, `state-${runtimes.indexOf(runtime)}`);
const label = (runtime) =>
  `${basename(runtime)} ${/version ([^\s]+)/.exec(execFileSync(runtime, ["--version"], { env, encoding: "utf8" }))?.[1] ?? ""}`;

function makeBundle() {
  const bundle = join(folder, "bundle");
  for (const name of ["bin", "dev", "proc", "sys"])
    mkdirSync(join(bundle, "rootfs", name), { recursive: true });
  execFileSync("cp", [find("busybox"), join(bundle, "rootfs/bin/busybox")]);
  symlinkSync("busybox", join(bundle, "rootfs/bin/true"));
  execFileSync(tsrunc, ["spec", "--bundle", bundle], { env });
  const file = join(bundle, "config.json");
  const config = JSON.parse(readFileSync(file, "utf8"));
  config.ociVersion = "1.0.2"; // older peers know no newer one
  config.process.terminal = false;
  config.process.args = ["/bin/true"];
  writeFileSync(file, JSON.stringify(config));
  return bundle;
}

/** The commands that are timed, by row. */
function makeCommands(bundle) {
  const cycle = join(folder, "cycle.sh");
  writeFileSync(
    cycle,
    `#!/bin/sh\nset -e\n"$1" --root "$2" create --bundle ${bundle} ${id} </dev/null >/dev/null 2>&1\n` +
      `"$1" --root "$2" start ${id}\n"$1" --root "$2" delete --force ${id}\n`,
  );
  chmodSync(cycle, 0o755);
  return {
    "run true": (runtime) => `${runtime} --root ${root(runtime)} run --bundle ${bundle} ${id}`,
    "create+start+delete": (runtime) => `${cycle} ${runtime} ${root(runtime)}`,
    "--version": (runtime) => `${runtime} --version`,
  };
}

/** What tsrunc's commands cost with nothing to do: they end with an error or an empty answer. */
const IDLE = [
  "state none",
  "start none",
  "kill none TERM",
  "delete --force none",
  "list",
  "exec none true",
  "features",
  "spec --help",
];

/** Milliseconds of each run. */
function time(command) {
  const file = join(folder, "times.json");
  execFileSync(
    "hyperfine",
    ["-N", "-i", "--warmup", "1", "--runs", String(RUNS), "--export-json", file, command],
    {
      env,
      stdio: "ignore",
    },
  );
  return JSON.parse(readFileSync(file, "utf8")).results[0].times.map((seconds) => 1000 * seconds);
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

function timeRounds(commands) {
  const times = new Map();
  for (let round = 0; round < ROUNDS; round++)
    for (const [row, make] of Object.entries(commands))
      for (const runtime of runtimes) {
        const key = `${row}\n${runtime}`;
        times.set(key, [...(times.get(key) ?? []), ...time(make(runtime))]);
      }
  return (row, runtime) => median(times.get(`${row}\n${runtime}`));
}

/** Peak resident memory of a command and what it waited for, in MB. */
function measurePeak(args) {
  const script =
    "import resource,subprocess,sys\nsubprocess.run(sys.argv[1:],stdin=subprocess.DEVNULL,stdout=subprocess.DEVNULL,stderr=subprocess.DEVNULL,check=True)\n" +
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)";
  return Number(execFileSync("python3", ["-c", script, ...args], { env, encoding: "utf8" })) / 1024;
}

/** Resident and proportional memory of the process that waits for `start`, in kB. */
function measureWaiting(runtime) {
  const { pid } = JSON.parse(
    execFileSync(runtime, ["--root", root(runtime), "state", id], { env, encoding: "utf8" }),
  );
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const read = (name) => Number(new RegExp(`^${name}: +(\\d+)`, "m").exec(text)?.[1]);
  return { rss: read("Rss"), pss: read("Pss") };
}

function printTable(rows) {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => String(row[i]).length)));
  for (const row of rows)
    process.stdout.write(
      `${row.map((cell, i) => (i === 0 ? String(cell).padEnd(widths[i]) : String(cell).padStart(widths[i]))).join("  ")}\n`,
    );
}

try {
  if (!existsSync(tsrunc)) throw new Error("dist/tsrunc is missing: npm run build");
  const bundle = makeBundle();
  const commands = makeCommands(bundle);
  for (const make of Object.values(commands))
    for (const runtime of runtimes)
      execFileSync("sh", ["-c", make(runtime)], { env, stdio: ["ignore", "ignore", "inherit"] });
  const timeOf = timeRounds(commands);
  process.stdout.write(
    `\nWall time, median of ${ROUNDS * RUNS} runs in ${ROUNDS} interleaved rounds; ratio of tsrunc to each\n\n`,
  );
  printTable([
    ["", ...runtimes.map(label)],
    ...Object.keys(commands).map((row) => [
      row,
      ...runtimes.map((runtime) => {
        const own = timeOf(row, tsrunc);
        const other = timeOf(row, runtime);
        return runtime === tsrunc
          ? `${own.toFixed(1)} ms`
          : `${other.toFixed(1)} ms (${(own / other).toFixed(2)})`;
      }),
    ]),
  ]);

  process.stdout.write("\nMemory\n\n");
  const memory = runtimes.map((runtime) => {
    const options = ["--root", root(runtime)];
    const create = measurePeak([runtime, ...options, "create", "--bundle", bundle, id]);
    const waiting = measureWaiting(runtime);
    execFileSync(runtime, [...options, "delete", "--force", id], { env, stdio: "ignore" });
    return [label(runtime), `${create.toFixed(1)} MB`, `${waiting.rss} kB`, `${waiting.pss} kB`];
  });
  printTable([["", "create, peak", "waiting init, resident", "proportional"], ...memory]);

  process.stdout.write("\nCommands of tsrunc with nothing to do\n\n");
  printTable(
    IDLE.map((args) => [args, `${median(time(`${tsrunc} --root ${folder}/none ${args}`)).toFixed(1)} ms`]),
  );

  process.stdout.write("\nWhere the time of `tsrunc run` goes (its own clock; a typical run)\n\n");
  const log = join(folder, "log");
  execFileSync(
    tsrunc,
    ["--root", root(tsrunc), "--debug", "--log", log, "--log-format", "json", "run", "--bundle", bundle, id],
    { env },
  );
  let before = 0;
  printTable(
    readFileSync(log, "utf8")
      .trim()
      .split("\n")
      .map((line) => {
        const { msg, ms } = JSON.parse(line);
        const row = [msg, `+${(ms - before).toFixed(1)} ms`, `${ms.toFixed(1)} ms`];
        before = ms;
        return row;
      }),
  );
} finally {
  for (const runtime of runtimes)
    spawnSync(runtime, ["--root", root(runtime), "delete", "--force", id], { env, stdio: "ignore" });
  rmSync(folder, { recursive: true, force: true });
}
