import { describe, expect, test } from "bun:test";
import type { OptionSpec } from "../../../src/cli/option.ts";
import { type Grammar, parseArguments } from "../../../src/cli/parse.ts";
import { formatHelp } from "../../../src/cli/usage.ts";
import { UsageError } from "../../../src/errors.ts";

const OPTIONS: readonly OptionSpec[] = [
  { name: "bundle", short: "b", kind: "text", value: "path", help: "the bundle" },
  { name: "env", short: "e", kind: "list", help: "variables" },
  { name: "tty", short: "t", kind: "flag", help: "a terminal" },
  { name: "no-pivot", kind: "flag", help: "no pivot" },
  { name: "no-subreaper", kind: "flag", help: "no subreaper", hidden: true },
  { name: "preserve-fds", kind: "count", help: "descriptors" },
  { name: "user", short: "u", kind: "text", help: "user" },
];

const GRAMMAR: Grammar = {
  name: "tsrunc try",
  usage: "<container-id>",
  description: "Tries.",
  options: OPTIONS,
  stopsAtArgs: false,
};

async function parse(argv: readonly string[], stopsAtArgs = false): Promise<object> {
  const { help, args, values } = await parseArguments({ ...GRAMMAR, stopsAtArgs }, argv);
  return help ? { help } : { args, ...Object.fromEntries(values) };
}

const GOOD: readonly (readonly [argv: string, result: object])[] = [
  ["", { args: [] }],
  ["id", { args: ["id"] }],
  ["--bundle /b id", { args: ["id"], bundle: "/b" }],
  ["--bundle=/b id", { args: ["id"], bundle: "/b" }],
  ["-bundle /b id", { args: ["id"], bundle: "/b" }],
  ["-b /b id", { args: ["id"], bundle: "/b" }],
  ["-b=/b id", { args: ["id"], bundle: "/b" }],
  ["id --bundle /b", { args: ["id"], bundle: "/b" }],
  ["--bundle /a --bundle /b", { args: [], bundle: "/b" }],
  ["--bundle=", { args: [], bundle: "" }],
  ["-no-subreaper id", { args: ["id"], "no-subreaper": true }],
  ["--no-pivot id", { args: ["id"], "no-pivot": true }],
  ["--tty=true --no-pivot=false", { args: [], tty: true }],
  ["--tty --tty=false", { args: [] }],
  ["--env A=1 -e B=2 --env=C=3=4", { args: [], env: ["A=1", "B=2", "C=3=4"] }],
  ["--env --tty", { args: [], env: ["--tty"] }],
  ["--user -1", { args: [], user: "-1" }],
  ["--preserve-fds 3", { args: [], "preserve-fds": "3" }],
  ["-- --tty", { args: ["--tty"] }],
  ["-", { args: ["-"] }],
  // These go to commander.
  ["-tu 5 id", { args: ["id"], tty: true, user: "5" }],
  ["-tb/b -e A=1 -tu 5", { args: [], tty: true, bundle: "/b", env: ["A=1"], user: "5" }],
  ["--help", { help: true }],
  ["id -h", { help: true }],
];

describe("flags as Go programs take them", () => {
  for (const [argv, result] of GOOD) {
    test(argv, async () =>
      expect(await parse(argv.split(" ").filter((word) => word !== ""))).toEqual(result),
    );
  }
});

describe("a command whose arguments are another program's", () => {
  const cases: readonly (readonly [string, object])[] = [
    ["id cmd -x", { args: ["id", "cmd", "-x"] }],
    ["-t id cmd --tty=false -b", { args: ["id", "cmd", "--tty=false", "-b"], tty: true }],
    ["id --help", { args: ["id", "--help"] }],
    ["id cmd -- -x", { args: ["id", "cmd", "--", "-x"] }],
    ["-tu 5 id cmd -t", { args: ["id", "cmd", "-t"], tty: true, user: "5" }],
  ];
  for (const [argv, result] of cases) {
    test(argv, async () => expect(await parse(argv.split(" "), true)).toEqual(result));
  }
});

describe("mistakes", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["--frob", "flag provided but not defined: -frob"],
    ["--frob=1 id", "flag provided but not defined: -frob"],
    ["-x", "flag provided but not defined: -x"],
    ["--bundle", "flag needs an argument: -bundle"],
    ["id -b", "flag needs an argument: -bundle"],
    ["--tty=maybe", 'invalid boolean value "maybe" for -tty'],
    ["--preserve-fds x", 'invalid value "x" for flag -preserve-fds: not a number'],
    ["--preserve-fds=-1", 'invalid value "-1" for flag -preserve-fds: not a number'],
    ["--preserve-fds=", 'invalid value "" for flag -preserve-fds: not a number'],
    ["-t --preserve-fds=1e1 -tt", 'invalid value "1e1" for flag -preserve-fds: not a number'],
  ];
  for (const [argv, message] of cases) {
    test(argv, async () => {
      const error = await parse(argv.split(" ")).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(UsageError);
      expect((error as Error).message).toBe(message);
    });
  }

  test("names of Object.prototype are no flags", async () => {
    for (const name of ["--constructor", "--__proto__", "--toString"]) {
      expect(parse([name])).rejects.toThrow("flag provided but not defined");
    }
  });
});

test("help names every option that is not hidden", () => {
  const help = formatHelp(GRAMMAR);
  expect(help).toStartWith("Usage: tsrunc try [options] <container-id>\n\nTries.\n");
  for (const { name, hidden } of OPTIONS) {
    if (hidden) expect(help).not.toContain(`--${name}`);
    else expect(help).toContain(`--${name}`);
  }
});
