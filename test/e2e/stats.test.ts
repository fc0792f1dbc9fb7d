// stats: what containers use, in lines, as JSON and on a terminal.
import { describe, expect, test } from "bun:test";
import { openSandbox, readStatus, waitFor } from "./harness.ts";
import { runOnTerminal } from "./terminals.ts";

const box = openSandbox("stats");
const MIB = 1024 * 1024;
/** Uses all of a CPU, for half a minute at most. */
const BUSY = "timeout 30 sh -c 'while true; do true; done'";

interface Line {
  readonly time: string;
  readonly id: string;
  readonly status: string;
  readonly cpu: { readonly time: number; readonly percent: number | null };
  readonly memory: { readonly usage: number; readonly limit: number | null; readonly percent: number | null };
  readonly io: { readonly read: number; readonly written: number };
  readonly pids: { readonly current: number; readonly limit: number | null };
}

const parse = (text: string): Line[] =>
  text.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as Line]));

async function run(args: readonly string[], resources: Record<string, unknown> = {}): Promise<string> {
  const id = box.id();
  const bundle = box.bundle(args, (config) => {
    config.linux.resources = resources;
  });
  await box.ok(["run", "--detach", "--bundle", bundle.directory, id]);
  return id;
}

async function withContainers(use: (busy: string, idle: string) => Promise<void>): Promise<void> {
  const limits = {
    memory: { limit: 64 * MIB },
    pids: { limit: 20 },
    cpu: { quota: 50_000, period: 100_000 },
  };
  const ids = [await run(["sh", "-c", BUSY], limits), await run(["sleep", "100"])] as const;
  try {
    await use(...ids);
  } finally {
    for (const id of ids) await box.ok(["delete", "--force", id]);
  }
}

describe("once", () => {
  test("JSON tells CPU, memory, I/O and processes with their limits", () =>
    withContainers(async (busy, idle) => {
      await Bun.sleep(300);
      const [first, second, ...more] = parse((await box.ok(["stats", "--json", "--no-stream"])).stdout);
      expect(more).toEqual([]);
      expect(first).toMatchObject({ id: busy, status: "running", pids: { limit: 20 } });
      expect(first?.memory).toMatchObject({ limit: 64 * MIB, percent: expect.any(Number) });
      // Half a CPU by quota; the look is short, and periods have edges.
      expect(first?.cpu.percent).toBeGreaterThan(15);
      expect(first?.cpu.percent).toBeLessThan(110);
      expect(second).toMatchObject({ id: idle, memory: { limit: null }, pids: { current: 1, limit: null } });
      expect(second?.cpu.percent).toBeLessThan(10);
      expect(second?.memory.usage).toBeGreaterThan(0);
      expect(Math.abs(Date.parse(first?.time ?? "") - Date.now())).toBeLessThan(60_000);
    }));

  test("a table: a header, then a line for each", () =>
    withContainers(async (busy, idle) => {
      await box.ok(["pause", idle]);
      const [header, ...lines] = (await box.ok(["stats", "--no-stream"])).stdout.trimEnd().split("\n");
      expect(header?.split(/ {2,}/)).toEqual([
        "ID",
        "STATUS",
        "CPU %",
        "MEMORY",
        "LIMIT",
        "MEM %",
        "PRESSURE",
        "READ",
        "WRITTEN",
        "PIDS",
      ]);
      expect(lines.map((line) => line.split(/ +/).slice(0, 2))).toEqual([
        [busy, "running"],
        [idle, "paused"],
      ]);
      expect(lines[0]).toMatch(/ 64\.0MiB .* \d+\/20$/);
      const named = (await box.ok(["stats", "--no-stream", idle])).stdout.trimEnd().split("\n");
      expect(named).toHaveLength(2);
      expect(named[1]).toContain(idle);
    }));

  test("leaves out what does not run, and is empty without a container", async () => {
    expect((await box.ok(["stats", "--json", "--no-stream"])).stdout).toBe("");
    const id = await run(["true"]);
    await waitFor("its end", async () => (await readStatus(box, id)) === "stopped");
    expect((await box.ok(["stats", "--json", "--no-stream"])).stdout).toBe("");
    const named = await box.run(["stats", id]);
    expect(named).toMatchObject({ status: 1, stdout: "" });
    expect(named.stderr).toContain(`container with id ${id} is not running`);
    await box.ok(["delete", id]);
    expect((await box.run(["stats", id])).stderr).toContain("container does not exist");
  });
});

describe("the stream", () => {
  test("goes on with a line for each container, and ends with the last named one", () =>
    withContainers(async (busy, idle) => {
      const stats = box.start(["stats", "--interval", "100ms", busy]);
      await waitFor("four lines", () => stats.stdout().split("\n").length > 4);
      expect(stats.stdout()).not.toContain("\x1b");
      expect(stats.stdout()).not.toContain(idle);
      expect(stats.stdout().match(/^ID /gm)).toHaveLength(1);
      await box.ok(["kill", busy, "KILL"]);
      expect((await stats.result).status).toBe(0);
    }));

  test("shows containers that come, and ends when nobody reads it", async () => {
    const { result, stdout } = box.start(["stats", "--json", "--interval", "100ms"], {
      prefix: ["sh", "-c", '"$@" | head -n 2', "sh"],
    });
    await Bun.sleep(400);
    expect(stdout()).toBe("");
    const id = await run(["sleep", "100"]);
    expect(parse((await result).stdout).map((line) => line.id)).toEqual([id, id]);
    await box.ok(["delete", "--force", id]);
  });

  test("on a terminal, in its place, cut to its width", () =>
    withContainers(async (busy, idle) => {
      const terminal = runOnTerminal(
        ["--root", box.root, "stats", "--interval", "100ms", busy, idle],
        box.directory,
      );
      const table = `ID[^\n]*PRESSURE *\\x1b\\[K\r\n${busy}[^\n]*\\x1b\\[K\r\n${idle}[^\n]*\\x1b\\[K\r\n\\x1b\\[J`;
      await terminal.expect(new RegExp(`^${table}\\x1b\\[3A\r${table}\\x1b\\[3A\r${table}`));
      await box.ok(["kill", busy, "KILL"]);
      // One line less: the rest of the longer table is erased.
      await terminal.expect(new RegExp(`\\x1b\\[3A\rID[^\n]*\n${idle}[^\n]*\n\\x1b\\[J\\x1b\\[2A`));
      await box.ok(["kill", idle, "KILL"]);
      await waitFor("the end", () => terminal.report().includes("restored"));
      expect(JSON.parse(terminal.report().split("\n").at(-2) ?? "")).toEqual({ status: 0, restored: true });
      await terminal.ended;
    }));
});
