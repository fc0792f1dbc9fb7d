// The bundles: a root file system of Debian's busybox-static, and for each kind one config whose program ends at
// once and one whose program waits.
import { chmodSync, copyFileSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ENGINE_CONFIGS } from "../../test/e2e/engine-config.ts";

export interface Bundle {
  readonly name: string;
  /** What it is, for the report. */
  readonly title: string;
  /** Directory of the bundle whose program is `true`. */
  readonly short: string;
  /** Directory of the one whose program is `sleep`. */
  readonly long: string;
}

const TITLES: Readonly<Record<string, string>> = {
  minimal: "Minimal bundle (six mounts, no seccomp)",
  docker: "Docker's default bundle (seccomp, 15 mounts, masked and read-only paths)",
  heavy: "Heavy bundle (60 mounts, Podman's seccomp profile, five hooks)",
};

export function makeBundles(folder: string): Bundle[] {
  const busybox = Bun.which("busybox");
  if (busybox === null) throw new Error("busybox is missing: bash scripts/setup.sh");
  return Object.entries(ENGINE_CONFIGS).map(([name, makeConfig]) => {
    const make = (kind: string, args: readonly string[]): string => {
      const directory = join(folder, `${name}-${kind}`);
      const bin = join(directory, "rootfs/bin");
      for (const path of ["rootfs/dev", "rootfs/etc", "rootfs/proc", "rootfs/sys", "rootfs/tmp"])
        mkdirSync(join(directory, path), { recursive: true });
      mkdirSync(bin);
      copyFileSync(busybox, join(bin, "busybox"));
      chmodSync(join(bin, "busybox"), 0o755);
      for (const applet of ["cat", "sh", "sleep", "true"]) symlinkSync("busybox", join(bin, applet));
      const config = makeConfig(args, join(folder, "sources"));
      writeFileSync(join(directory, "config.json"), JSON.stringify(config));
      return directory;
    };
    return {
      name,
      title: TITLES[name] ?? name,
      short: make("short", ["/bin/true"]),
      long: make("long", ["/bin/sleep", "100000"]),
    };
  });
}
