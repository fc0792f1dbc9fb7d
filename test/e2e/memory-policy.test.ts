// linux.memoryPolicy: the kernel says in /proc/PID/numa_maps what a mapping's policy is.
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import type { Config } from "./config.ts";
import { isPeer, openSandbox } from "./harness.ts";

const box = openSandbox("mempolicy");
const hasNuma = existsSync("/proc/self/numa_maps");
/** Debian's peers know nothing of it. */
const ours = describe.skipIf(isPeer || !hasNuma);

interface Policy {
  mode: string;
  nodes?: string;
  flags?: string[];
}

function withPolicy(policy: Policy) {
  return (config: Config): void => {
    (config.linux as { memoryPolicy?: Policy }).memoryPolicy = policy;
  };
}

/** The policy of the program's first mapping. */
async function readPolicy(policy: Policy): Promise<string> {
  const result = await box.look(["sh", "-c", "head -n 1 /proc/self/numa_maps"], withPolicy(policy));
  expect(result.stderr).toBe("");
  return /^\w+ (.*?)(?: file=| anon=| heap| stack|$)/m.exec(result.stdout)?.[1] ?? "";
}

ours("every mode and flag, on node 0", () => {
  test.each<[Policy, string]>([
    [{ mode: "MPOL_DEFAULT" }, "default"],
    [{ mode: "MPOL_BIND", nodes: "0" }, "bind:0"],
    [{ mode: "MPOL_BIND", nodes: "0", flags: ["MPOL_F_STATIC_NODES"] }, "bind=static:0"],
    [{ mode: "MPOL_INTERLEAVE", nodes: "0-0" }, "interleave:0"],
    [{ mode: "MPOL_INTERLEAVE", nodes: "0", flags: ["MPOL_F_RELATIVE_NODES"] }, "interleave=relative:0"],
    [{ mode: "MPOL_PREFERRED", nodes: "0" }, "prefer:0"],
    [{ mode: "MPOL_PREFERRED" }, "local"],
    [{ mode: "MPOL_LOCAL" }, "local"],
    [{ mode: "MPOL_PREFERRED_MANY", nodes: "0" }, "prefer (many):0"],
  ])("%j", async (policy, told) => {
    expect(await readPolicy(policy)).toBe(told);
  });
});

ours("the policy", () => {
  test("holds for the program's children and for exec", async () => {
    const bundle = box.bundle(["sh", "-c", "sleep 60; true"], withPolicy({ mode: "MPOL_BIND", nodes: "0" }));
    const id = box.id();
    await box.ok(["run", "--detach", "--bundle", bundle.directory, id]);
    const { stdout } = await box.ok([
      "exec",
      id,
      "sh",
      "-c",
      "cat /proc/self/numa_maps; cat /proc/1/numa_maps",
    ]);
    const policies = new Set(
      stdout
        .trim()
        .split("\n")
        .map((line) => line.split(" ")[1]),
    );
    expect([...policies]).toEqual(["bind:0"]);
    await box.ok(["delete", "--force", id]);
  });

  test("of a node that there is not is an error of create", async () => {
    const last = readFileSync("/sys/devices/system/node/possible", "utf8").trim();
    const absent = String(Number(last.split(/[-,]/).at(-1)) + 1);
    const bundle = box.bundle(["true"], withPolicy({ mode: "MPOL_BIND", nodes: absent }));
    const result = await box.run(["create", "--bundle", bundle.directory, box.id()]);
    expect(result.status).toBe(1);
    expect(result.stderr).toContain(
      `linux.memoryPolicy: set the memory policy MPOL_BIND of nodes ${absent}: ` +
        `set_mempolicy(MPOL_BIND, [${absent}], 65): invalid argument (a node that is absent`,
    );
  });
});

describe.skipIf(isPeer)("features", () => {
  test("lists modes and flags", async () => {
    const features = JSON.parse((await box.ok(["features"])).stdout) as {
      linux: { memoryPolicy: { modes: string[]; flags: string[] } };
    };
    expect(features.linux.memoryPolicy.modes).toContain("MPOL_WEIGHTED_INTERLEAVE");
    expect(features.linux.memoryPolicy.flags).toHaveLength(3);
  });
});
