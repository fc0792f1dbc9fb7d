// The results as Markdown.
import type { Results } from "./results.ts";
import { ROWS, TIMED_ROWS } from "./rows.ts";
import type { Runtime } from "./runtimes.ts";
import { judge } from "./targets.ts";
import type { Cost } from "./time.ts";

const START = "<!-- measured: written by npm run bench -->";
const END = "<!-- measured: end -->";

/** Load of a machine on which nobody else works, at most. */
const QUIET_LOAD = 0.5;

/** Puts the measured part into a document, in place of the one before; what is around it is a person's. */
export function replaceMeasured(document: string, measured: string): string {
  const part = `${START}\n\n${measured}\n${END}`;
  const [from, to] = [document.indexOf(START), document.indexOf(END)];
  if (from < 0 || to < from) return `${document.trimEnd()}\n\n${part}\n`;
  return `${document.slice(0, from)}${part}${document.slice(to + END.length)}`;
}

export function formatReport(results: Results): string {
  return [
    ...formatMachine(results),
    "## Targets\n",
    formatTargets(results),
    ...results.bundles.flatMap((bundle) => [
      `## ${bundle.title}\n`,
      "Wall time, median; in parentheses tsrunc's divided by the peer's.\n",
      formatCosts(results, bundle.name, "wall"),
      "Processor time, user and system, of the command and what it waited for.\n",
      formatCosts(results, bundle.name, "cpu"),
    ]),
    ...formatMemory(results),
    ...formatGrowth(results),
    ...formatMoments(results),
  ].join("\n");
}

function formatMachine({ machine, runs, load }: Results): string[] {
  const busy =
    load > QUIET_LOAD
      ? [`The machine was not quiet: its load was ${load.toFixed(1)} before the first run.\n`]
      : [];
  return [
    "## Machine and method\n",
    `${machine.map(([name, value]) => `- ${name}: ${value}`).join("\n")}\n`,
    `Each time is the median of ${runs} runs, in rounds that go through all commands of all runtimes, every other round\n` +
      "backwards. What a run needs is made anew before it, untimed: a created container for `start`, a stopped one for\n" +
      "`delete`. cycle is a shell script: `create`, `start`, `delete --force`.\n",
    ...busy,
  ];
}

function formatTargets(results: Results): string {
  return formatTable(
    ["", "target", "reached", ""],
    judge(results).map(({ target, limit, reached, isMet }) => [
      target,
      limit,
      reached,
      isMet ? "met" : "**missed**",
    ]),
  );
}

function formatCosts({ runtimes, cost }: Results, bundle: string, kind: keyof Cost): string {
  return formatTable(
    ["", ...runtimes.map(({ label }) => label)],
    TIMED_ROWS.map((row) => [
      row,
      ...compare(
        runtimes,
        (runtime) => cost(bundle, row, runtime)[kind],
        (ms) => `${ms.toFixed(1)} ms`,
      ),
    ]),
  );
}

function formatMemory({ runtimes, bundles, peak, waiting }: Results): string[] {
  return [
    "## Memory\n",
    ...bundles.flatMap((bundle) => [
      `Peak resident memory of each command and what it waited for, ${bundle.name} bundle.\n`,
      formatTable(
        ["", ...runtimes.map(({ label }) => label)],
        ROWS.map((row) => [
          row,
          ...compare(
            runtimes,
            (runtime) => peak(bundle.name, row, runtime),
            (kb) => `${(kb / 1024).toFixed(1)} MB`,
          ),
        ]),
      ),
    ]),
    "A container that waits for `start`: its share of memory (PSS), and what is resident.\n",
    formatTable(
      ["", ...runtimes.map(({ label }) => label)],
      bundles.map(({ name }) => [
        name,
        ...runtimes.map((runtime) => {
          const { pss, rss } = waiting(name, runtime);
          return `${pss} kB, ${rss} kB`;
        }),
      ]),
    ),
  ];
}

function formatGrowth({ growth, runtimes }: Results): string[] {
  const sizes = [...(growth.values().next().value?.keys() ?? [])];
  const head = runtimes.flatMap(({ label }) => sizes.map((size) => `${label}, ${size}`));
  return [
    "## Among other containers\n",
    "Wall time, minimal bundle, with this many containers of the same runtime waiting; in parentheses how it grows.\n",
    formatTable(
      ["", ...head],
      ROWS.map((row) => [
        row,
        ...runtimes.flatMap((runtime) => {
          const costs = sizes.map((size) => growth.get(runtime)?.get(size)?.get(row)?.wall ?? Number.NaN);
          return costs.map((ms, i) =>
            i === 0
              ? `${ms.toFixed(1)} ms`
              : `${ms.toFixed(1)} ms (${(ms / (costs[0] ?? Number.NaN)).toFixed(2)})`,
          );
        }),
      ]),
    ),
  ];
}

function formatMoments({ moments }: Results): string[] {
  return [
    "## Where the time of `tsrunc run` goes\n",
    "Its own clock (`--debug`), in one run: milliseconds since the process began.\n",
    ...moments.flatMap(({ bundle, moments: all }) => [
      formatTable(
        [`${bundle.name} bundle`, "at", "since the line before"],
        all.map(({ text, ms }, i) => [text, ms.toFixed(1), `+${(ms - (all[i - 1]?.ms ?? 0)).toFixed(1)}`]),
      ),
    ]),
  ];
}

function compare(
  runtimes: readonly Runtime[],
  measure: (runtime: Runtime) => number,
  format: (value: number) => string,
): string[] {
  const values = runtimes.map(measure);
  const own = values[0] ?? Number.NaN;
  return values.map((value, i) =>
    i === 0 ? format(value) : `${format(value)} (${(own / value).toFixed(2)})`,
  );
}

/** A Markdown table whose columns are aligned in the source too: it is read in a terminal as well. */
export function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows].map((row) => row.map((cell) => cell.replaceAll("|", "\\|")));
  const widths = head.map((_, i) => Math.max(3, ...all.map((row) => row[i]?.length ?? 0)));
  const pad = (cell: string, i: number): string =>
    i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0);
  const lines = all.map((row) => `| ${row.map(pad).join(" | ")} |`);
  const rule = `| ${widths.map((width, i) => (i === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`)).join(" | ")} |`;
  return `${[lines[0], rule, ...lines.slice(1)].join("\n")}\n`;
}
