// Labels of the Linux security modules: process.apparmorProfile, process.selinuxLabel, linux.mountLabel.
import { TsruncError } from "../errors.ts";
import { OPEN_HOW_SIZE, RESOLVE } from "../linux/mount-flags.ts";
import { flags, openFlags, openHow, type PlanBuilder } from "../plan/build.ts";
import type { Result } from "../plan/step.ts";
import { type ContextType, contextType } from "../spec/annotations.ts";
import type { Config, Process } from "../spec/config.ts";
import type { Facts, LsmFacts } from "./facts.ts";
import { writeOwnAttribute } from "./procfs.ts";

/** The profile that a process without one has; it can be asked for where there is no AppArmor too. */
const UNCONFINED = "unconfined";

type Labels = Pick<Process, "apparmorProfile" | "selinuxLabel">;

/**
 * Fails, with runc's texts, if a process asks for what this kernel does not enforce: it would run unconfined. For
 * before anything is made.
 */
export function checkLabels({ apparmorProfile, selinuxLabel }: Labels, lsm: LsmFacts): void {
  if (asksForProfile(apparmorProfile) && !lsm.apparmor)
    throw new TsruncError(
      `process.apparmorProfile: ${apparmorProfile}: apparmor: config provided but apparmor not supported`,
    );
  if (selinuxLabel !== undefined && !lsm.selinux)
    throw new TsruncError(
      `process.selinuxLabel: ${selinuxLabel}: selinux label is specified in config, but selinux is disabled or not supported`,
    );
}

function asksForProfile(profile: string | undefined): profile is string {
  return profile !== undefined && profile !== UNCONFINED;
}

/** Whether anything has to be written for a process. */
export function hasLabels({ apparmorProfile, selinuxLabel }: Labels, lsm: LsmFacts): boolean {
  return selinuxLabel !== undefined || (apparmorProfile !== undefined && lsm.apparmor);
}

/** The label of the keys that `body` makes; afterwards new keys have the process's own again. */
export function labelKeys(
  p: PlanBuilder,
  procfs: Result | undefined,
  { selinuxLabel }: Labels,
  body: () => void,
): void {
  const write = (value: string): void => {
    if (selinuxLabel === undefined || !procfs) return;
    p.at("process.selinuxLabel", "label the keyring", () =>
      writeOwnAttribute(
        p,
        procfs,
        "keycreate",
        value,
        `process.selinuxLabel: can't set key label ${selinuxLabel}`,
      ),
    );
  };
  write(selinuxLabel ?? "");
  body();
  write(""); // setkeycreatecon(3): back to the default
}

/** Labels that take effect at init's next execve. The kernel refuses a profile that is not loaded. */
export function labelProcess(
  p: PlanBuilder,
  procfs: Result,
  { apparmorProfile, selinuxLabel }: Labels,
  lsm: LsmFacts,
): void {
  if (apparmorProfile !== undefined && lsm.apparmor)
    p.at("process.apparmorProfile", `apply apparmor profile ${apparmorProfile}`, () => {
      const failure = `process.apparmorProfile: apparmor failed to apply profile ${apparmorProfile}`;
      writeOwnAttribute(p, procfs, "apparmor/exec", `exec ${apparmorProfile}`, failure);
    });
  if (selinuxLabel !== undefined)
    p.at("process.selinuxLabel", `label the process ${selinuxLabel}`, () => {
      const failure = `process.selinuxLabel: can't set process label ${selinuxLabel}`;
      writeOwnAttribute(p, procfs, "exec", selinuxLabel, failure);
    });
}

/** Types that runc mounts without a label: what is in them has labels of the policy's own. */
const UNLABELED = new Set(["proc", "sysfs", "mqueue", "cgroup", "cgroup2"]);

/** An SELinux context of files, and the mount option that it is the value of. */
export interface MountLabel {
  readonly option: ContextType;
  readonly context: string;
}

/** The label of the container's files, where SELinux is there to use it. */
export function findMountLabel(config: Config, facts: Pick<Facts, "lsm">): MountLabel | undefined {
  const context = facts.lsm.selinux ? config.linux?.mountLabel : undefined;
  return context === undefined ? undefined : { option: contextType(config), context };
}

/** Options of a new file system, with its label (mount(8), "context"). */
export function addMountLabel(
  type: string,
  data: readonly string[],
  label: MountLabel | undefined,
): readonly string[] {
  const isLabeled = data.some((option) => /^(?:fs|def|root)?context=/.test(option));
  if (label === undefined || isLabeled || UNLABELED.has(type)) return data;
  return [...data, `${label.option}=${label.context}`];
}

/** The label of a message queue file system, which takes none as an option. */
export function labelMount(p: PlanBuilder, mount: Result, { context }: MountLabel): void {
  const how = openHow(openFlags("O_RDONLY", "O_DIRECTORY", "O_CLOEXEC"), flags(RESOLVE, "RESOLVE_BENEATH"));
  const root = p.call("openat2", [mount, ".", how, OPEN_HOW_SIZE], { name: "root" });
  p.call("fsetxattr", [root, "security.selinux", context, new TextEncoder().encode(context).length, 0]);
  p.call("close", [root]);
}
