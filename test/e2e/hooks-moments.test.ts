// Hooks: the six moments, where they run, and what they get of the container.
import { expect, test } from "bun:test";
import { existsSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { dropNamespace, type Hook } from "./config.ts";
import { type Bundle, isPeer, openSandbox, readStatus, waitFor } from "./harness.ts";
import { type Kind, kinds, setHooks, sh } from "./hooks.ts";

const box = openSandbox("hooks-moments");

/** Notes where a hook ran: one line with its namespaces, working directory, and the state it got on stdin. */
function note(file: string): Hook {
  const facts =
    "$(readlink /proc/self/ns/mnt) $(readlink /proc/self/ns/pid) $(readlink /proc/self/ns/net) $PWD";
  return sh(`{ echo "${facts}"; cat; echo; } >>${file}`, { env: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"] });
}

interface Note {
  readonly mount: string;
  readonly network: string;
  readonly cwd: string;
  readonly state: {
    id: string;
    status: string;
    pid?: number;
    bundle: string;
    annotations?: Record<string, string>;
  };
}

function readNote(file: string): Note {
  const text = readFileSync(file, "utf8");
  const line = text.slice(0, text.indexOf("\n"));
  const [mount = "", , network = "", cwd = ""] = line.split(" ");
  return { mount, network, cwd, state: JSON.parse(text.slice(line.length)) as Note["state"] };
}

/** Takes a container with one noting hook of each kind through its whole life. */
async function livesWithNotes(): Promise<{
  id: string;
  bundle: Bundle;
  notes: Record<Kind, Note>;
  pid: number;
}> {
  const id = box.id();
  const bundle = box.bundle(["sleep", "100"], (config) => {
    config.annotations = { "org.example": "noted" };
  });
  const file = (kind: Kind): string => join(bundle.directory, `${kind}.note`);
  bundle.edit((config) => {
    setHooks(
      config,
      Object.fromEntries(
        kinds.map((kind) => [kind, [note(kind === "startContainer" ? "/startContainer.note" : file(kind))]]),
      ),
    );
  });
  await box.ok(["create", "--bundle", bundle.directory, id]);
  for (const kind of ["prestart", "createRuntime", "createContainer"] as const)
    expect(existsSync(file(kind))).toBe(true);
  // Debian's runc runs poststart hooks in create.
  if (!isPeer) expect(existsSync(file("poststart"))).toBe(false);
  expect(existsSync(file("poststop"))).toBe(false);
  expect(existsSync(join(bundle.rootfs, "startContainer.note"))).toBe(false);
  const { pid } = JSON.parse((await box.ok(["state", id])).stdout) as { pid: number };
  await box.ok(["start", id]);
  expect(existsSync(file("poststart"))).toBe(true);
  expect(existsSync(join(bundle.rootfs, "startContainer.note"))).toBe(true);
  expect(existsSync(file("poststop"))).toBe(false);
  await box.ok(["kill", id, "KILL"]);
  await waitFor("the end", async () => (await readStatus(box, id)) === "stopped");
  expect(existsSync(file("poststop"))).toBe(false);
  await box.ok(["delete", id]);
  const notes = Object.fromEntries(
    kinds.map((kind) => [
      kind,
      readNote(kind === "startContainer" ? join(bundle.rootfs, "startContainer.note") : file(kind)),
    ]),
  ) as Record<Kind, Note>;
  return { id, bundle, notes, pid };
}

test("each kind runs at its moment, in its namespaces, with the state on stdin", async () => {
  const { id, bundle, notes, pid } = await livesWithNotes();
  const own = { mount: readlinkSync("/proc/self/ns/mnt"), network: readlinkSync("/proc/self/ns/net") };
  for (const kind of kinds) {
    const { state } = notes[kind];
    expect(state).toMatchObject({ id, bundle: bundle.directory });
    expect(state.annotations).toMatchObject({ "org.example": "noted" });
  }
  for (const kind of ["prestart", "createRuntime", "poststart", "poststop"] as const) {
    expect({ kind, mount: notes[kind].mount, network: notes[kind].network }).toEqual({ kind, ...own });
    if (kind !== "poststop") expect(notes[kind].state.pid).toBe(pid);
  }
  for (const kind of ["createContainer", "startContainer"] as const) {
    expect(notes[kind].mount).not.toBe(own.mount);
    expect(notes[kind].network).not.toBe(own.network);
  }
  expect(notes.poststop.state.status).toBe("stopped");
  expect(notes.poststop.state.pid ?? 0).toBe(0);
  if (!isPeer) {
    expect(notes.poststart.state.status).toBe("running");
    // The spec says "creating" and, elsewhere, "created"; the validation suite wants "created" for prestart.
    expect(notes.prestart.state.status).toBe("created");
    for (const kind of ["createRuntime", "createContainer"] as const)
      expect(notes[kind].state.status).toMatch(/^creat(ing|ed)$/);
    expect(notes.startContainer.state.status).toBe("created");
    // Compared as runc leaves it, since callers' hooks rely on it.
    expect(notes.createRuntime.cwd).toBe(bundle.directory);
  }
});

test("hooks of one kind run in the listed order, and before the next kind", async () => {
  const bundle = box.bundle(["true"]);
  const file = join(bundle.directory, "order");
  bundle.edit((config) => {
    const add = (text: string): Hook => sh(`echo ${text} >>${file}`);
    setHooks(config, {
      poststop: [add("s1"), add("s2")],
      poststart: [add("p1"), add("p2")],
      createContainer: [add("c1"), add("c2")],
      createRuntime: [add("r1"), add("r2")],
      prestart: [add("a1"), add("a2")],
    });
  });
  await box.ok(["run", "--bundle", bundle.directory, box.id()]);
  expect(readFileSync(file, "utf8").trim().split("\n")).toEqual([
    "a1",
    "a2",
    "r1",
    "r2",
    "c1",
    "c2",
    "p1",
    "p2",
    "s1",
    "s2",
  ]);
});

test("createContainer sees the container's mounts and the runtime's files", async () => {
  const bundle = box.bundle(["true"]);
  const file = join(bundle.directory, "mounts");
  bundle.edit((config) => setHooks(config, { createContainer: [sh(`cat /proc/self/mountinfo >${file}`)] }));
  await box.ok(["run", "--bundle", bundle.directory, box.id()]);
  expect(readFileSync(file, "utf8")).toMatch(`${bundle.rootfs}/dev/pts `);
});

test("a hook in the container's namespaces runs in the container's cgroup, the others in the caller's", async () => {
  const bundle = box.bundle(["cat", "/proc/self/cgroup"]);
  const file = (kind: Kind): string => join(bundle.directory, `${kind}.cgroup`);
  const inside = "/startContainer.cgroup";
  bundle.edit((config) => {
    dropNamespace(config, "cgroup"); // so that all see the same paths
    const write = (path: string): Hook[] => [sh(`cat /proc/self/cgroup >${path}`)];
    setHooks(
      config,
      Object.fromEntries(kinds.map((kind) => [kind, write(kind === "startContainer" ? inside : file(kind))])),
    );
  });
  const { stdout } = await box.ok(["run", "--bundle", bundle.directory, box.id()]);
  expect(readFileSync(join(bundle.rootfs, inside), "utf8")).toBe(stdout);
  expect(readFileSync(file("createContainer"), "utf8")).toBe(stdout);
  const own = readFileSync("/proc/self/cgroup", "utf8");
  expect(own).not.toBe(stdout);
  for (const kind of ["prestart", "createRuntime", "poststart", "poststop"] as const)
    expect({ kind, cgroup: readFileSync(file(kind), "utf8") }).toEqual({ kind, cgroup: own });
});
