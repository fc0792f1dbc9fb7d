// What the kernel refuses to an ordinary user, told before anything is made.
import { ConfigError, type Problem, TsruncError } from "../errors.ts";
import type { Config, IdMapping } from "../spec/config.ts";
import type { Facts } from "./facts.ts";
import { hasNamespace, readNamespaces } from "./namespaces.ts";

/** Throws TsruncError, ConfigError for a config that an ordinary user cannot have. */
export function checkRootless(config: Config, { euid, mayMount }: Pick<Facts, "euid" | "mayMount">): void {
  if (euid === 0 || mayMount) return;
  if (!hasNamespace(readNamespaces(config), "user"))
    throw new TsruncError("rootless container requires user namespaces");
  const problems: Problem[] = [];
  if ((config.process?.user.additionalGids ?? []).length > 0)
    problems.push({
      path: "process.user.additionalGids",
      message: "cannot set any additional groups in a rootless container",
    });
  for (const [index, { options = [] }] of (config.mounts ?? []).entries())
    for (const option of options) problems.push(...checkOption(config, option, `mounts[${index}].options`));
  if (problems.length > 0) throw new ConfigError("config.json", problems);
}

/** A file system takes only ids that its user namespace has. */
function checkOption(config: Config, option: string, path: string): readonly Problem[] {
  const [, kind, id] = /^(uid|gid)=(\d+)$/.exec(option) ?? [];
  if (kind === undefined || config.linux === undefined) return [];
  const mappings = config.linux[`${kind as "uid" | "gid"}Mappings`] ?? [];
  const isMapped = ({ containerID, size }: IdMapping): boolean =>
    Number(id) >= containerID && Number(id) < containerID + size;
  if (mappings.length === 0 || mappings.some(isMapped)) return [];
  return [{ path, message: `cannot specify ${option} for an unmapped ${kind} in a rootless container` }];
}
