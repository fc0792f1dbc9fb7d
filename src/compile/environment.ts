// The environment of a container's process.

/** Whether HOME must be found: it is absent or empty (features of runc, libcontainer/env.go). */
export function lacksHome(env: readonly string[]): boolean {
  const home = env.findLast((variable) => variable.startsWith("HOME="));
  return home === undefined || home === "HOME=";
}

/** HOME of a uid by the text of /etc/passwd (passwd(5)); `/` if it has none. */
export function findHome(passwd: string, uid: number): string {
  for (const line of passwd.split("\n")) {
    const fields = line.split(":");
    if (fields[2] === String(uid) && fields[5]) return fields[5];
  }
  return "/";
}

/** The environment in order, of equal names only the last (execve(2) would pass both), with HOME. */
export function completeEnv(
  env: readonly string[],
  home: string | undefined,
  extra: readonly string[],
): string[] {
  const byName = new Map<string, string>();
  for (const variable of [...env, ...extra]) {
    const name = variable.slice(0, variable.indexOf("="));
    byName.delete(name);
    byName.set(name, variable);
  }
  if (home !== undefined) {
    byName.delete("HOME");
    byName.set("HOME", `HOME=${home}`);
  }
  return [...byName.values()];
}
