import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLog, type LogFormat, type LogLevel, parseLogLevel } from "../../../src/cli/log.ts";

let folder: string;
let file: string;
let stderr: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tsrunc-log-"));
  file = join(folder, "log");
  stderr = "";
});
afterEach(() => rmSync(folder, { recursive: true }));

function open(
  format: LogFormat,
  toFile: boolean,
  level: LogLevel = "info",
  isTerminal = false,
): ReturnType<typeof createLog> {
  return createLog({
    format,
    level,
    ...(toFile ? { file } : {}),
    now: () => new Date("2026-01-02T03:04:05.678Z"),
    elapsed: () => 12.3456,
    writeError: (text) => {
      stderr += text;
    },
    isTerminal: () => isTerminal,
  });
}

const read = (): string => readFileSync(file, "utf8");

describe("to stderr", () => {
  test("text as logrus writes it", () => {
    const log = open("text", false);
    log.warn("one\ttwo");
    log.fail("word");
    expect(stderr).toBe(
      'time="2026-01-02T03:04:05Z" level=warning msg="one\\ttwo"\ntime="2026-01-02T03:04:05Z" level=error msg=word\n',
    );
  });

  test("a terminal has the plain messages, which cannot steer it", () => {
    const log = open("text", false, "debug", true);
    log.debug("made");
    log.warn("one\u001b[2J");
    log.fail('open "/x"');
    expect(stderr).toBe('debug: made (12.35 ms)\nwarning: one\\x1b[2J\nopen "/x"\n');
  });

  test("json is what was asked for, on a terminal too", () => {
    open("json", false, "info", true).fail("word");
    expect(stderr).toBe('{"level":"error","msg":"word","time":"2026-01-02T03:04:05Z"}\n');
  });

  test("json, once", () => {
    open("json", false).fail('a "b"');
    expect(stderr).toBe('{"level":"error","msg":"a \\"b\\"","time":"2026-01-02T03:04:05Z"}\n');
  });
});

test("a debug message has the milliseconds since the process began", () => {
  open("text", false, "debug").debug("done so far");
  expect(stderr).toBe('time="2026-01-02T03:04:05Z" level=debug msg="done so far" ms=12.35\n');
  open("json", true, "debug").debug("done");
  expect(JSON.parse(read())).toEqual({
    level: "debug",
    msg: "done",
    time: "2026-01-02T03:04:05Z",
    ms: 12.35,
  });
});

describe("to a file", () => {
  test("the error is also on stderr, plainly", () => {
    open("json", true).fail("gone wrong");
    expect(JSON.parse(read())).toEqual({ level: "error", msg: "gone wrong", time: "2026-01-02T03:04:05Z" });
    expect(stderr).toBe("gone wrong\n");
  });

  test("warnings before an error are in the error's object: the file is one object", () => {
    const log = open("json", true);
    log.warn("first");
    log.warn("second");
    expect(read()).toBe("");
    log.fail("then this");
    expect(JSON.parse(read())).toMatchObject({ msg: "then this", warnings: ["first", "second"] });
    expect(stderr).toBe("then this\n");
  });

  test("warnings without an error are lines of their own, and not on stderr", () => {
    const log = open("json", true);
    log.warn("first");
    log.info("second");
    log.finish();
    const lines = read().trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line).level)).toEqual(["warning", "info"]);
    expect(stderr).toBe("");
  });

  test("it is made with mode 0644 and appended to", () => {
    open("text", true).fail("one");
    expect(statSync(file).mode & 0o777 & ~0o644).toBe(0);
    open("text", true).fail("two");
    expect(read().split("\n").length).toBe(3);
  });

  test("one that cannot be written is an error at once", () => {
    file = join(folder, "absent/log");
    expect(() => open("text", true)).toThrow("log file: ");
  });
});

describe("hostile messages", () => {
  const hostile = `"\n\u001b[2J\u0000\\ ${"\ud800"} \u2028 {"level":"error"}`;

  test("the log stays one valid object a line", () => {
    open("json", true).fail(hostile);
    const lines = read().trimEnd().split("\n");
    expect(lines.length).toBe(1);
    expect(JSON.parse(lines[0] as string).level).toBe("error");
  });

  test("no control characters reach a terminal", () => {
    open("json", true).fail(hostile);
    open("text", false).fail(hostile);
    expect(stderr).not.toContain("\u001b");
    expect(stderr).not.toContain("\u0000");
    expect(stderr).toContain("\\x1b[2J");
  });

  test("a megabyte is shortened", () => {
    open("json", true).fail("x".repeat(1 << 20));
    expect(read().length).toBeLessThan(40_000);
    expect(JSON.parse(read()).msg).toEndWith("… (shortened)");
  });
});

describe("levels", () => {
  test("what is below the level is dropped", () => {
    const log = open("text", false, "error");
    log.debug("a");
    log.info("b");
    log.warn("c");
    expect(stderr).toBe("");
    log.error("d");
    expect(stderr).toContain("msg=d");
  });

  test("debug writes at once", () => {
    open("json", true, "debug").debug("now");
    expect(read()).toContain('"msg":"now"');
  });

  test("names", () => {
    expect(["error", "WARN", "warning", "info", "Debug"].map(parseLogLevel)).toEqual([
      "error",
      "warning",
      "warning",
      "info",
      "debug",
    ]);
    expect(parseLogLevel("loud")).toBeUndefined();
  });
});
