// The same bundle under the executable under test, runc and crun.
import { expect } from "bun:test";
import { addUserNamespace, type Config } from "./config.ts";
import { openSandbox } from "./harness.ts";

export const peers = (["runc", "crun"] as const).filter((name) => Bun.which(name) !== null);

/** Opens a sandbox, with the comparison of what the process finds in it. */
export function openDifferentialSandbox(theme: string) {
  const box = openSandbox(theme);

  /** Runs the args under all; the first result is the tested executable's. */
  async function compare(
    args: readonly string[],
    change: ((config: Config) => void) | undefined,
    shape: (output: string, peer: string) => unknown,
    only = peers as readonly ("runc" | "crun")[],
  ) {
    const own = await box.look(args, change);
    for (const name of only) {
      const theirs = await box.withPeer(name).look(args, change);
      expect({ peer: name, status: own.status, output: shape(own.stdout, name) }).toEqual({
        peer: name,
        status: theirs.status,
        output: shape(theirs.stdout, name),
      });
    }
  }

  return { box, compare };
}

/** What is compared in more than one respect. */
export const configs: [string, ((config: Config) => void) | undefined][] = [
  ["the default config", undefined],
  [
    "a user, groups and capabilities",
    (config) => {
      config.process.user = { uid: 1000, gid: 1000, additionalGids: [5, 10] };
      config.process.noNewPrivileges = false;
      const names = ["CAP_CHOWN", "CAP_NET_RAW"];
      config.process.capabilities = {
        bounding: names,
        effective: names,
        permitted: names,
        inheritable: names,
        ambient: names,
      };
    },
  ],
  [
    "a read-only root",
    (config) => {
      config.root.readonly = true;
    },
  ],
  ["a user namespace", addUserNamespace],
];
