// What a config may do but should not: for the log, never an error.
import { isTmpfsOption } from "../linux/mount-options.ts";
import { findIdleAnnotations } from "./annotations.ts";
import { applyRules, rule } from "./check.ts";
import type { Config } from "./config-schema.ts";
import { isIdmapOption } from "./idmapped-mount.ts";
import { formatPath, quote } from "./problems.ts";

const ADVICE = [
  rule("annotations", "tsrunc: nothing is ignored silently", findIdleAnnotations),
  rule("mounts.*.destination", "config.md Mounts: relative paths are deprecated", (destination) =>
    destination.startsWith("/") || destination === ""
      ? undefined
      : `${quote(destination)} is a relative path, which is deprecated: taken as relative to /`,
  ),
  rule("linux.devices", "config-linux.md Devices: SHOULD NOT be used for multiple devices", (devices) => {
    const seen = new Map<string, number>();
    return devices.flatMap((device, index) => {
      if (device.type === "p") return [];
      const key = `${device.type} ${device.major}:${device.minor}`;
      const first = seen.get(key);
      if (first === undefined) {
        seen.set(key, index);
        return [];
      }
      return [{ at: [index], message: `device ${key} stands in devices[${first}] already` }];
    });
  }),
  rule("mounts.*", "config.md Mounts: options SHOULD contain idmap or ridmap", (mount) =>
    mount.uidMappings?.length && !mount.options?.some(isIdmapOption)
      ? "has id mappings without the option idmap or ridmap"
      : undefined,
  ),
  rule("mounts.*", "tsrunc: nothing is ignored silently", ({ type, options = [] }) => {
    const isBind = type === "bind" || options.includes("bind") || options.includes("rbind");
    if (!isBind) return undefined;
    const idle = options.filter(isTmpfsOption);
    return idle.length > 0
      ? `a bind mount ignores ${quote(idle.join(","))}: options of a new tmpfs`
      : undefined;
  }),
  rule("linux.resources.memory", "config-linux.md Memory: NOT RECOMMENDED", ({ kernel, kernelTCP }) =>
    kernel !== undefined || kernelTCP !== undefined
      ? "kernel memory settings are ignored: the kernel accounts it with the rest"
      : undefined,
  ),
];

/** Warnings about a config that parseConfig has accepted, each with its JSON path. */
export function configWarnings(config: Config): string[] {
  return applyRules(ADVICE, config, "", []).map(
    ({ segments, message }) => `config.json: ${formatPath(segments)}: ${message}`,
  );
}
