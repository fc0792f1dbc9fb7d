// The namespaces of a container's process, as this process finds them.
import { readlinkSync } from "node:fs";
import { TsruncError, toSyscallError } from "../errors.ts";
import { NAMESPACE_TYPES, NAMESPACES, type NamespaceType } from "../linux/namespaces.ts";

/**
 * Types of the namespaces that a process does not share with this one: those for setns(2) with its pidfd (joining
 * the own user namespace would be an error). Types that the kernel lacks are left out. The caller makes sure that
 * the pid is that of its process before and after. Throws TsruncError if it has ended, SyscallError if this process
 * may not know.
 */
export function findOtherNamespaces(pid: number): readonly NamespaceType[] {
  return NAMESPACE_TYPES.filter((type) => {
    const file = NAMESPACES[type][2];
    const own = readNamespace("self", file);
    const other = readNamespace(pid, file);
    if (own !== undefined && other === undefined)
      throw new TsruncError(`the namespaces of process ${pid} cannot be read: it has ended`);
    return own !== other;
  });
}

function readNamespace(pid: number | "self", file: string): string | undefined {
  const path = `/proc/${pid}/ns/${file}`;
  try {
    return readlinkSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ESRCH") return undefined;
    throw toSyscallError(error, "find the container's namespaces", `readlink("${path}")`);
  }
}
