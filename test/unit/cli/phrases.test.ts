import { describe, expect, test } from "bun:test";
import { ConfigError, messageOf, phrases, SyscallError } from "../../../src/errors.ts";
import { errnoText } from "../../../src/linux/errno.ts";

// What the callers look for, written as they write it: containerd's shim (process/utils.go), moby
// (daemon/errors.go), Podman (oci_util.go) and CRI-O. A test fails here before a caller fails in the field.
const MATCHED: readonly (readonly [text: string, by: string, pattern: RegExp])[] = [
  [phrases.absent, "shim", /does not exist/],
  [phrases.absent, "buildah", /container does not exist/],
  [phrases.notRunning, "shim, CRI-O", /container not running/],
  [phrases.notPaused, "shim", /container not paused/],
  [phrases.exists, "operators", /container with given ID already exists/],
  [phrases.invalidId, "operators", /invalid container ID format/],
  [phrases.startRunning, "operators", /cannot start an already running container/],
  [phrases.startPaused, "operators", /cannot start a container in the paused state/],
  [phrases.startStopped, "operators", /cannot start a container that has stopped/],
  [phrases.execPaused, "operators", /cannot exec in a paused container \(use --ignore-paused to override\)/],
  [phrases.execStopped, "operators", /cannot exec in a stopped container/],
  [
    phrases.deleteAlive("a", "running"),
    "operators",
    /^cannot delete container a that is not stopped: running$/,
  ],
  [phrases.commandMissing("nope"), "moby", /executable file not found/],
  [phrases.commandMissing("nope"), "Podman", /^.*executable file not found in.*/],
  [phrases.commandMissing("nope"), "go-runc", /^exec: "nope": executable file not found in \$PATH$/],
  [`${phrases.statFailed("/nope")}: ${errnoText(2)}`, "moby, Podman", /no such file or directory/],
  [phrases.statFailed("/nope"), "go-runc", /^exec: "\/nope": stat \/nope$/],
  [phrases.isDirectory("/etc"), "moby", /is a directory/],
  [phrases.isDirectory("/etc"), "Docker before 23, Podman", /permission denied/],
  [phrases.notExecutable("/etc/passwd"), "moby, Podman", /permission denied/],
];

describe("phrases", () => {
  for (const [text, by, pattern] of MATCHED) {
    test(`${by}: ${pattern.source}`, () => expect(text).toMatch(pattern));
  }

  test("every phrase is in the table", () => {
    const texts = new Set(MATCHED.map(([text]) => text));
    for (const phrase of Object.values(phrases)) {
      if (typeof phrase === "string") expect(texts).toContain(phrase);
    }
  });

  test("a command's name is quoted, whatever is in it", () => {
    expect(phrases.commandMissing('a"b\n\u001b[2J')).toBe(
      'exec: "a\\"b\\n\\u001b[2J": executable file not found in $PATH',
    );
  });
});

describe("messages", () => {
  test("a failed call: intent, call, errno, hint", () => {
    expect(new SyscallError("mounts[3]: bind /a on /b", 'open_tree("/a")', 2).message).toBe(
      'mounts[3]: bind /a on /b: open_tree("/a"): no such file or directory',
    );
    expect(new SyscallError("", "f()", 1, "is it a user namespace?").message).toBe(
      "f(): operation not permitted (is it a user namespace?)",
    );
  });

  test("a document: every problem with its path", () => {
    const problems = [
      { path: "a.b", message: "is wrong" },
      { path: "", message: "is empty" },
    ];
    expect(new ConfigError("config.json", problems).message).toBe("config.json: a.b: is wrong; is empty");
  });

  test("of anything that was thrown", () => {
    expect(messageOf(new Error("x"))).toBe("x");
    expect(messageOf("y")).toBe("y");
  });
});
