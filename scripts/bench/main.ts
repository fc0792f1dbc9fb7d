// `npm run bench [-- --quick] [-- --out DIRECTORY] [RUNTIME...]`: tsrunc against Debian's runc and crun, and any other
// runtime given by path, in wall time, processor time and memory. Writes docs/performance.md and docs/performance.svg
// (with --quick, few runs for a look, only where --out says) and prints the report. TSRUNC=PATH: another build.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { makeBundles } from "./bundles.ts";
import { drawChart } from "./chart.ts";
import { measureAll, removeAll } from "./measure.ts";
import { formatReport, replaceMeasured } from "./report.ts";
import { findRuntimes } from "./runtimes.ts";

const FULL = { rounds: 4, runs: 5, crowds: [1, 100, 1000], crowdRounds: 2 };
const QUICK = { rounds: 1, runs: 2, crowds: [1, 10], crowdRounds: 1 };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: "boolean", default: false }, out: { type: "string" } },
});
// An interrupted bench cleans up: the same signal ends what it waits for, and that fails.
process.on("SIGINT", () => {});
const docs = values.out ?? (values.quick ? undefined : join(import.meta.dirname, "../../docs"));
const folder = mkdtempSync(join(tmpdir(), "tsrunc-bench-"));
const runtimes = findRuntimes(folder, positionals);
try {
  const results = await measureAll({
    folder,
    runtimes,
    bundles: makeBundles(folder),
    ...(values.quick ? QUICK : FULL),
    tell: (text) => process.stderr.write(`${text}\n`),
  });
  const report = formatReport(results);
  process.stdout.write(`${report}\n`);
  if (docs !== undefined) writeDocs(docs, report, drawChart(results));
} finally {
  removeAll(runtimes);
  rmSync(folder, { recursive: true, force: true });
}

function writeDocs(directory: string, report: string, chart: string): void {
  mkdirSync(directory, { recursive: true });
  const file = join(directory, "performance.md");
  writeFileSync(join(directory, "performance.svg"), chart);
  writeFileSync(file, replaceMeasured(readDocument(file), report));
}

function readDocument(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return "# Performance\n\n![Wall time of each command](performance.svg)\n";
  }
}
