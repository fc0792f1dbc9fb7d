// Annotations of crun's that have an effect here too, and the image's signal for `kill`.
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { openAgent } from "./agents.ts";
import { addUserNamespace, type Config } from "./config.ts";
import { isPeer, openSandbox, readStatus, waitFor } from "./harness.ts";

const box = openSandbox("annotations");
const ours = describe.skipIf(isPeer);

const annotate =
  (annotations: Record<string, string>, change?: (config: Config) => void) =>
  (config: Config): void => {
    config.annotations = annotations;
    change?.(config);
  };

ours("run.oci.keep_original_groups", () => {
  const prefix = ["setpriv", "--groups", "1234,2345"];

  /** Supplementary groups of the container's process. */
  async function readGroups(change: (config: Config) => void): Promise<string> {
    const result = await box.look(["grep", "Groups", "/proc/self/status"], change, { prefix });
    expect(result.stderr).toBe("");
    return result.stdout.replace("Groups:", "").trim();
  }
  const keep = { "run.oci.keep_original_groups": "1" };

  test("the caller's groups stay, for root and for a user", async () => {
    expect(await readGroups(annotate(keep))).toBe("1234 2345");
    const user = { uid: 1000, gid: 1000, additionalGids: [5] };
    expect(
      await readGroups(
        annotate(keep, (config) => {
          config.process.user = user;
        }),
      ),
    ).toBe("1234 2345");
  });

  test("in a user namespace they are nobody's, and still there", async () => {
    expect(await readGroups(annotate(keep, addUserNamespace))).toBe("65534 65534");
  });

  test("without it, or with 0, none of them does", async () => {
    expect(await readGroups(() => {})).toBe("");
    expect(await readGroups(annotate({ "run.oci.keep_original_groups": "0" }))).toBe("");
  });

  test("exec too", async () => {
    const id = box.id();
    const bundle = box.bundle(["sleep", "60"], annotate(keep));
    await box.ok(["run", "--detach", "--bundle", bundle.directory, id]);
    const result = await box.ok(["exec", id, "grep", "Groups", "/proc/self/status"], { prefix });
    expect(result.stdout.replace("Groups:", "").trim()).toBe("1234 2345");
    await box.ok(["delete", "--force", id]);
  });
});

ours("run.oci.seccomp_fail_unknown_syscall", () => {
  const seccomp = {
    defaultAction: "SCMP_ACT_ALLOW",
    syscalls: [{ names: ["mkdir", "no_such_call"], action: "SCMP_ACT_ERRNO" }],
  };
  const withProfile = (config: Config): void => {
    config.linux.seccomp = seccomp;
  };

  test("an unknown name is an error with it, and left out without", async () => {
    expect((await box.look(["true"], withProfile)).status).toBe(0);
    const name = "run.oci.seccomp_fail_unknown_syscall";
    const result = await box.look(["true"], annotate({ [name]: "1" }, withProfile));
    expect(result.status).toBe(1);
    expect(result.stderr.replaceAll("\\", "")).toContain(
      'linux.seccomp.syscalls[0].names: unknown system call "no_such_call"',
    );
  });
});

ours("run.oci.seccomp.receiver", () => {
  test("is the agent of a profile without listenerPath", async () => {
    const path = join(box.directory, "agent");
    const mkdir = process.arch === "arm64" ? "mkdirat" : "mkdir";
    const agent = await openAgent(path, { [process.arch === "arm64" ? 34 : 83]: { error: 105 } });
    const result = await box.look(
      ["mkdir", "/x"],
      annotate({ "run.oci.seccomp.receiver": path }, (config) => {
        config.linux.seccomp = {
          defaultAction: "SCMP_ACT_ALLOW",
          syscalls: [{ names: [mkdir], action: "SCMP_ACT_NOTIFY" }],
        };
      }),
    );
    agent.close();
    expect(result.stderr).toContain("No buffer space available");
    expect(agent.deliveries().length).toBe(1);
  });
});

ours("org.opencontainers.image.stopSignal", () => {
  /** Prints the signal that it gets, and ends. */
  const TRAPS =
    'for s in HUP INT USR1 TERM; do trap "echo $s; exit 0" $s; done; echo up; while :; do sleep 0.1; done';

  async function killed(annotations: Record<string, string>, ...signal: string[]): Promise<string[]> {
    const id = box.id();
    const bundle = box.bundle(["sh", "-c", TRAPS], annotate(annotations));
    const output = join(box.directory, `${id}.out`);
    const started = box.start(["run", "--bundle", bundle.directory, id], {
      prefix: ["sh", "-c", `exec "$@" >${output}`, "sh"],
    });
    await waitFor("the container", async () =>
      (
        await Bun.file(output)
          .text()
          .catch(() => "")
      ).includes("up"),
    );
    await box.ok(["kill", id, ...signal]);
    await started.result;
    expect(await readStatus(box, id)).toBeUndefined();
    return (await Bun.file(output).text()).trim().split("\n");
  }
  const image = { "org.opencontainers.image.stopSignal": "SIGUSR1" };

  test("is what kill sends by default", async () => {
    expect(await killed(image)).toEqual(["up", "USR1"]);
  });
  test("a signal that is given wins, and without any it is SIGTERM", async () => {
    expect(await killed(image, "HUP")).toEqual(["up", "HUP"]);
    expect(await killed({})).toEqual(["up", "TERM"]);
  });
  test("one that there is not is SIGTERM, with a warning", async () => {
    expect(await killed({ "org.opencontainers.image.stopSignal": "NOPE" })).toEqual(["up", "TERM"]);
  });
});

ours("annotations without effect", () => {
  test("are told in the log, and nothing else happens", async () => {
    const result = await box.look(["true"], annotate({ "run.oci.handler": "krun", "com.example": "x" }));
    expect(result.status).toBe(0);
    expect(result.stderr).toContain("run.oci.handler");
    expect(result.stderr).toContain("has no effect: containers are processes here");
    expect(result.stderr).not.toContain("com.example");
  });
});
