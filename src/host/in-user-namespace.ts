// Whether this process is root of the host or of something smaller.
import { readFileSync } from "node:fs";

/** The initial user namespace maps every id to itself (user_namespaces(7)). */
export function isInUserNamespace(): boolean {
  return !/^\s*0\s+0\s+4294967295\s*$/.test(readFileSync("/proc/self/uid_map", "utf8"));
}
