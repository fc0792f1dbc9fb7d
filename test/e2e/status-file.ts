// /proc/self/status as a container's process has it.
import { expect } from "bun:test";
import type { Config } from "./config.ts";
import type { RunOptions, Sandbox } from "./harness.ts";

/** Gives a function that runs a new container and reads its process's status, by the names of the fields. */
export function makeStatusReader(box: Pick<Sandbox, "look">) {
  return async function readStatusFile(
    change?: (config: Config) => void,
    options?: RunOptions,
  ): Promise<Map<string, string>> {
    const result = await box.look(["cat", "/proc/self/status"], change, options);
    expect(result.stderr).toBe("");
    return new Map(
      result.stdout.split("\n").map((line) => {
        const place = line.indexOf(":");
        return [line.slice(0, place), line.slice(place + 1).trim()] as [string, string];
      }),
    );
  };
}
