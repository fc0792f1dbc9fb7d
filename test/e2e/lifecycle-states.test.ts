// The life of a container as a caller sees it: start, exec, kill and delete in every state.
import { describe, expect, test } from "bun:test";
import { isPeer, readStatus, waitFor } from "./harness.ts";
import { openLifecycleSandbox } from "./lifecycle.ts";

const { box, withContainer, fails } = openLifecycleSandbox("lifecycle-states");

describe("start", () => {
  test("of a created container begins the process", () =>
    withContainer("created", async (id) => {
      await box.ok(["start", id]);
      expect(await readStatus(box, id)).toBe("running");
    }));
  test("of a running container", () =>
    withContainer("running", (id) => fails(["start", id], 1, "cannot start an already running container")));
  test("of a paused container", () =>
    withContainer("paused", (id) => fails(["start", id], 1, "cannot start a container in the paused state")));
  test("of a stopped container", () =>
    withContainer("stopped", (id) => fails(["start", id], 1, "cannot start a container that has stopped")));
  test("of an absent container", () => fails(["start", box.id()], 1, "container does not exist"));
});

describe("exec", () => {
  test("into a created container works", () =>
    withContainer("created", async (id) => {
      expect((await box.ok(["exec", id, "echo", "here"])).stdout).toBe("here\n");
      expect(await readStatus(box, id)).toBe("created");
    }));
  test("into a running container works", () =>
    withContainer("running", async (id) => {
      expect((await box.ok(["exec", id, "echo", "here"])).stdout).toBe("here\n");
    }));
  test("into a paused container", () =>
    withContainer("paused", (id) => fails(["exec", id, "true"], 255, "cannot exec in a paused container")));
  test("into a stopped container", () =>
    withContainer("stopped", (id) => fails(["exec", id, "true"], 255, "cannot exec in a stopped container")));
  test("into an absent container", () => fails(["exec", box.id(), "true"], 255, "container does not exist"));
});

describe("kill", () => {
  test("of a created container ends it", () =>
    withContainer("created", async (id) => {
      await box.ok(["kill", id, "KILL"]);
      await waitFor("the end", async () => (await readStatus(box, id)) === "stopped");
    }));
  test("with SIGTERM, the default, reaches a created container's init", () =>
    withContainer("created", async (id) => {
      await box.ok(["kill", id]);
      if (!isPeer) await waitFor("the end", async () => (await readStatus(box, id)) === "stopped");
    }));
  for (const signal of ["9", "KILL", "SIGKILL", "kill", "sigkill", "SigKill"]) {
    test(`of a running container with ${signal}`, () =>
      withContainer("running", async (id) => {
        await box.ok(["kill", id, signal]);
        await waitFor("the end", async () => (await readStatus(box, id)) === "stopped");
      }));
  }
  test("of a paused container with SIGKILL ends it", () =>
    withContainer("paused", async (id) => {
      await box.ok(["kill", id, "KILL"]);
      await waitFor("the end", async () => (await readStatus(box, id)) === "stopped");
    }));
  test("of a stopped container", () =>
    withContainer("stopped", (id) => fails(["kill", id], 1, "container not running")));
  test("--all of a stopped container succeeds", () =>
    withContainer("stopped", async (id) => {
      await box.ok(["kill", "--all", id, "KILL"]);
    }));
  test("of an absent container", () => fails(["kill", box.id()], 1, "container does not exist"));
  for (const signal of ["BOGUS", "SIGBOGUS", "-1", "1x", "65", "99999999999"]) {
    test(`refuses the signal ${JSON.stringify(signal)}`, () =>
      withContainer("running", async (id) => {
        // runc takes any number; the kernel's EINVAL then tells that it is none.
        const result = await box.run(["kill", "--", id, signal].filter((w) => w !== "--" || signal === "-1"));
        expect(result.status).toBe(1);
        expect(await readStatus(box, id)).toBe("running");
      }));
  }
});

describe("delete", () => {
  test("of a created container kills and removes it", async () => {
    const id = box.id();
    await box.ok(["create", "--bundle", box.bundle(["sleep", "100"]).directory, id]);
    await box.ok(["delete", id]);
    await fails(["state", id], 1, "container does not exist");
  });
  test("of a running container", () =>
    withContainer("running", async (id) => {
      await fails(["delete", id], 1, `cannot delete container ${id} that is not stopped: running`);
      expect(await readStatus(box, id)).toBe("running");
    }));
  test("of a paused container", () =>
    withContainer("paused", (id) =>
      fails(["delete", id], 1, `cannot delete container ${id} that is not stopped: paused`),
    ));
  test("of a stopped container removes it", async () => {
    const id = box.id();
    await box.ok(["create", "--bundle", box.bundle(["true"]).directory, id]);
    await box.ok(["start", id]);
    await waitFor("the end", async () => (await readStatus(box, id)) === "stopped");
    await box.ok(["delete", id]);
    await fails(["state", id], 1, "container does not exist");
  });
  test("of an absent container", () => fails(["delete", box.id()], 1, "container does not exist"));
  test("--force of an absent container succeeds", async () => {
    await box.ok(["delete", "--force", box.id()]);
  });
  for (const stage of ["created", "running", "paused", "stopped"] as const)
    test(`--force of a ${stage} container`, () => withContainer(stage, async () => undefined));
});
