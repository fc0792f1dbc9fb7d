// What the tests of `exec` share.
import type { Config } from "./config.ts";
import { openSandbox, type RunOptions } from "./harness.ts";

/** Opens a sandbox, with `exec` in new containers of it. */
export function openExecSandbox(theme: string) {
  const box = openSandbox(theme);

  /** Runs the flags and command by `exec` in a new container that is running, and removes it. */
  async function exec(words: readonly string[], change?: (config: Config) => void, options?: RunOptions) {
    const id = box.id();
    await box.ok(["run", "-d", "--bundle", box.bundle(["sleep", "100"], change).directory, id]);
    const place = words.indexOf("ID");
    const result = await box.run(["exec", ...words.slice(0, place), id, ...words.slice(place + 1)], options);
    await box.ok(["delete", "--force", id]);
    return result;
  }

  return { box, exec };
}

/** A field of /proc/PID/status. */
export const readField = (status: string, name: string): string =>
  status.match(new RegExp(`^${name}:\\s*(.*)$`, "m"))?.[1] ?? "absent";
