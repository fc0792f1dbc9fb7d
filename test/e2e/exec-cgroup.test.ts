// exec --cgroup: the process is in a cgroup below the container's, and cannot be put anywhere else.
import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { readCgroupLayout } from "../../src/cgroup/layout.ts";
import { openSandbox } from "./harness.ts";

const box = openSandbox("subcgroup");
const layout = readCgroupLayout();

/** The container's directory by controller, `unified` for cgroup2. */
async function findDirs(id: string): Promise<Map<string, string>> {
  const { pid } = JSON.parse((await box.ok(["state", id])).stdout) as { pid: number };
  const dirs = new Map<string, string>();
  for (const [name, path] of parseCgroups(readFileSync(`/proc/${pid}/cgroup`, "utf8"))) {
    const mountPoint = (name === "unified" ? layout.unified : layout.controllers.get(name))?.mountPoint;
    if (mountPoint !== undefined && path !== "/") dirs.set(name, `${mountPoint}${path}`);
  }
  return dirs;
}

/** /proc/PID/cgroup by controller. */
function parseCgroups(text: string): Map<string, string> {
  const lines = text
    .trim()
    .split("\n")
    .map((line) => /^\d+:([^:]*):(.*)$/.exec(line) ?? []);
  return new Map(
    lines.flatMap(([, names = "", path = ""]) =>
      (names || "unified").split(",").map((name) => [name, path] as const),
    ),
  );
}

/** Makes `sub` below the container's directories, ready to take a process, for the time of the call. */
async function withSub(dirs: Iterable<string>, sub: string, use: () => Promise<void>): Promise<void> {
  const made = [...new Set(dirs)].map((dir) => `${dir}/${sub}`).filter((dir) => !existsSync(dir));
  for (const dir of made) {
    mkdirSync(dir);
    for (const file of ["cpuset.cpus", "cpuset.mems"]) {
      if (layout.mode !== "v2" && existsSync(`${dir}/${file}`))
        writeFileSync(`${dir}/${file}`, readFileSync(`${dir}/../${file}`));
    }
  }
  try {
    await use();
  } finally {
    for (const dir of made) rmdirSync(dir);
  }
}

/** A container in the host's cgroup namespace, so that it tells its paths as the host sees them. */
async function withContainer(use: (id: string, dirs: Map<string, string>) => Promise<void>): Promise<void> {
  const id = box.id();
  const bundle = box.bundle(["sleep", "100"], (config) => {
    config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== "cgroup");
    config.linux.cgroupsPath = `/${id}`;
  });
  await box.ok(["run", "--detach", "--bundle", bundle.directory, id]);
  try {
    await use(id, await findDirs(id));
  } finally {
    await box.ok(["delete", "--force", id]);
  }
}

const look = async (id: string, ...options: string[]): Promise<Map<string, string>> =>
  parseCgroups((await box.ok(["exec", ...options, id, "cat", "/proc/self/cgroup"])).stdout);

describe("exec --cgroup", () => {
  test("joins the same sub-cgroup everywhere", () =>
    withContainer((id, dirs) =>
      withSub(dirs.values(), "sub", async () => {
        const cgroups = await look(id, "--cgroup", "sub");
        for (const name of dirs.keys()) {
          const place = layout.mode !== "v2" && name === "unified" ? "" : "/sub";
          expect({ [name]: cgroups.get(name) }).toEqual({ [name]: `/${id}${place}` });
        }
        expect(await look(id, "--cgroup", "/sub/")).toEqual(cgroups);
        expect(await look(id, "--cgroup", `../${id}/sub`)).toEqual(cgroups);
        expect(await look(id, "--cgroup", "/")).toEqual(await look(id));
      }),
    ));

  test.skipIf(layout.mode === "v2")("joins by controller on v1", () =>
    withContainer((id, dirs) =>
      withSub([dirs.get("memory") ?? "", dirs.get("pids") ?? ""], "sub", async () => {
        const cgroups = await look(id, "--cgroup", "memory:sub", "--cgroup", "pids:/sub");
        for (const [name] of dirs) {
          const place = name === "memory" || name === "pids" ? "/sub" : "";
          expect({ [name]: cgroups.get(name) }).toEqual({ [name]: `/${id}${place}` });
        }
      }),
    ),
  );

  test("refuses what is not below the container's cgroup, though it exists", () =>
    withContainer(async (id, dirs) => {
      const siblings = [...new Set(dirs.values())].map((dir) => `${dir}x`);
      for (const dir of siblings) mkdirSync(dir);
      try {
        for (const path of [`../${id}x`, "..", "/..", "/../x", "a/../../x", `../../../../${id}x`]) {
          const result = await box.run(["exec", "--cgroup", path, id, "echo", "in"]);
          expect({ path, ...result }).toMatchObject({ path, status: 255, stdout: "" });
          expect(result.stderr).toContain(`bad sub cgroup path: ${path}`);
        }
      } finally {
        for (const dir of siblings) rmdirSync(dir);
      }
    }));

  test("refuses a sub-cgroup that does not exist, and makes none", () =>
    withContainer(async (id, dirs) => {
      const result = await box.run(["exec", "--cgroup", "absent", id, "echo", "in"]);
      expect(result).toMatchObject({ status: 255, stdout: "" });
      expect(result.stderr).toMatch(/absent.*no such file or directory/);
      for (const dir of dirs.values()) expect(existsSync(`${dir}/absent`)).toBe(false);
    }));
});
