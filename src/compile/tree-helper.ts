// Copies of the host's mounts for a container in a user namespace. They are made in the container's own mount namespace:
// there the kernel has locked every mount's attributes, and mounts to what they cover (mount_namespaces(7),
// "Restrictions on mount namespaces"). A copy keeps the locks, so that root in the container cannot make writable what
// the host has mounted read-only. But init is that root when the namespace exists, and paths of the host may be closed
// to it. So a helper that init has made before, with all the caller's privilege, follows it there.
import { errnoNumber } from "../linux/errno.ts";
import { AT_FDCWD, load, NULL, openFlags, type PlanBuilder, struct, u32, u64 } from "../plan/build.ts";
import type { Result } from "../plan/step.ts";
import { duplicate, startHelper } from "./helper.ts";
import { ALL_BITS } from "./mount-target.ts";
import { namespaceFlags } from "./namespaces.ts";

const INTENT = "open the host's mounts in the container's mount namespace";

export interface TreeHelper {
  /** For init in its new mount namespace: waits for the helper, and gives the trees, in the order of `open`'s. */
  readonly receive: () => readonly Result[];
}

/** Starts the helper; `open` adds its steps and gives the descriptors that they open. */
export function startTreeHelper(p: PlanBuilder, open: () => readonly Result[]): TreeHelper {
  let opened: readonly Result[] = [];
  const helper = p.at("linux.namespaces", INTENT, () =>
    startHelper(p, 8, (told, { writing }) => {
      p.call("setns", [load(told, 0, 4, "mount_ns"), namespaceFlags(["mount"])]);
      opened = open();
      const numbers = struct(...opened.map((tree) => u32(tree.name ?? "", tree)));
      p.call("write", [writing, numbers, 4 * opened.length]);
    }),
  );
  const receive = (): readonly Result[] =>
    p.at("linux.namespaces", INTENT, () => {
      const own = p.call("openat", [AT_FDCWD, "/proc/self/ns/mnt", openFlags("O_RDONLY", "O_CLOEXEC")], {
        name: "mount_ns",
      });
      p.call("write", [helper.writing, struct(u64("mount_ns", own)), 8]);
      const status = p.buffer(8, "status");
      p.call("wait4", [helper.pid, status, 0, NULL]);
      const failure = `${INTENT}: the process that does it was killed`;
      p.check(load(status, 0, 4, "status"), 0xffffffffn, 0, errnoNumber("ECHILD"), { failure });
      const size = 4 * opened.length;
      const numbers = p.buffer(size, "trees");
      const length = p.call("read", [helper.reading, numbers, size], { name: "length" });
      p.check(length, ALL_BITS, size, errnoNumber("EPIPE"), { failure });
      // The numbers are values that a call has left; as results of calls of its own init has them by name.
      const trees = opened.map(({ name = "tree" }, i) => {
        const number = load(numbers, 4 * i, 4, `trees[${i}]`);
        const tree = duplicate(p, number, name);
        p.call("close", [number]);
        return tree;
      });
      for (const fd of [own, helper.reading, helper.writing]) p.call("close", [fd]);
      return trees;
    });
  return { receive };
}
