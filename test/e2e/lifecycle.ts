// What the tests of a container's life share: containers in each state.
import { expect } from "bun:test";
import { openSandbox, readStatus, waitFor } from "./harness.ts";

export type Stage = "created" | "running" | "stopped" | "paused";

/** Opens a sandbox, with containers in it that are in a given state. */
export function openLifecycleSandbox(theme: string) {
  const box = openSandbox(theme);

  /** Brings a new container to a stage, hands it over, and removes it. */
  async function withContainer(stage: Stage, use: (id: string) => Promise<void>): Promise<void> {
    const id = box.id();
    const args = stage === "stopped" ? ["true"] : ["sleep", "100"];
    await box.ok(["create", "--bundle", box.bundle(args).directory, id]);
    if (stage !== "created") await box.ok(["start", id]);
    if (stage === "stopped") await waitFor("the end", async () => (await readStatus(box, id)) === "stopped");
    if (stage === "paused") {
      await box.ok(["pause", id]);
      expect(await readStatus(box, id)).toBe("paused");
    }
    try {
      await use(id);
    } finally {
      await box.ok(["delete", "--force", id]);
    }
  }

  async function fails(args: readonly string[], status: number, text: string | RegExp): Promise<void> {
    const result = await box.run(args);
    expect(result.stderr).toMatch(text);
    expect(result.status).toBe(status);
  }

  return { box, withContainer, fails };
}
