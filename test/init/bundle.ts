// A bundle for a file of tests, new for each of them, and containers of it.
import { afterAll, beforeEach } from "bun:test";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Mount } from "../../src/spec/config.ts";
import {
  DEV,
  fillBundle,
  type Made,
  type MakeOptions,
  makeBundle,
  makeConfig,
  PROC,
  removeBundle,
  withContainer,
} from "./container.ts";

/** Makes the bundle, makes it anew before each test, and removes it after the last. */
export function keepBundle() {
  const bundle = makeBundle();
  beforeEach(() => {
    for (const name of readdirSync(bundle)) rmSync(join(bundle, name), { recursive: true, force: true });
    fillBundle(bundle);
  });
  afterAll(() => removeBundle(bundle));

  const inRootfs = (path: string) => join(bundle, "rootfs", path);

  /** A container with these further mounts. */
  function make<T>(mounts: Mount[], look: (made: Made) => T, options?: MakeOptions): T {
    return withContainer(bundle, makeConfig({ mounts: [PROC, DEV, ...mounts] }), look, options);
  }

  /** A directory outside of the root file system that must stay as it is. */
  function makeOutside(): string {
    const outside = join(bundle, "outside");
    mkdirSync(outside);
    return outside;
  }

  return { bundle, inRootfs, make, makeOutside };
}
