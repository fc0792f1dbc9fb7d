import type { ExecOptions } from "../container/options.ts";
import { UsageError } from "../errors.ts";
import { CONTAINER_ID, type CommandDefinition, getId, type Invocation } from "./command.ts";
import { parseId, parseUser } from "./exec-user.ts";
import { getList, getText, hasFlag, type OptionSpec, type OptionValues, pickText } from "./option.ts";
import { PIPE_OPTIONS, PRESERVE_FDS, readPipeOptions, readPreserveFds } from "./process-options.ts";
import { processSignals } from "./signals.ts";

const OPTIONS: readonly OptionSpec[] = [
  { name: "process", short: "p", kind: "text", value: "file", help: "a process object of config.json" },
  { name: "cwd", kind: "text", value: "dir", help: "working directory in the container" },
  { name: "env", short: "e", kind: "list", value: "key=value", help: "set a variable (repeatable)" },
  { name: "tty", short: "t", kind: "flag", help: "allocate a terminal" },
  { name: "user", short: "u", kind: "text", value: "uid[:gid]", help: "user and group, as numbers" },
  { name: "additional-gids", short: "g", kind: "list", value: "gid", help: "another group (repeatable)" },
  { name: "cap", short: "c", kind: "list", value: "cap", help: "add a capability (repeatable)" },
  { name: "no-new-privs", kind: "flag", help: "set no_new_privs" },
  ...PIPE_OPTIONS,
  { name: "detach", short: "d", kind: "flag", help: "do not wait for the program" },
  PRESERVE_FDS,
  { name: "ignore-paused", kind: "flag", help: "allow it in a paused container" },
  { name: "cgroup", kind: "list", value: "path", help: "cgroup below the container's (repeatable)" },
  { name: "process-label", kind: "text", value: "label", help: "SELinux label" },
  { name: "apparmor", kind: "text", value: "profile", help: "AppArmor profile" },
];

export const command: CommandDefinition = {
  usage: `${CONTAINER_ID} <command> [arguments]`,
  description:
    "Executes a program in a running container. Exits with its status, with 255 for a failure of its own.",
  options: OPTIONS,
  minArgs: 1,
  maxArgs: Number.POSITIVE_INFINITY,
  stopsAtArgs: true,
  passesFds: true,
  errorPrefix: "exec failed: ",
  errorStatus: 255,
  run: async (invocation) => {
    const options = readExecOptions(invocation);
    const { execContainer } = await import("../container/making.ts");
    return await execContainer(invocation.ctx, options, processSignals);
  },
};

function readExecOptions(invocation: Invocation): ExecOptions {
  const { options } = invocation;
  const args = invocation.args.slice(1);
  if (args.length === 0 && !options.has("process")) throw new UsageError("process args cannot be empty");
  const user = getText(options, "user");
  return {
    id: getId(invocation),
    ...pickText(options, "process", "processFile"),
    args,
    ...readCwd(options),
    env: getList(options, "env").map(checkVariable),
    tty: hasFlag(options, "tty"),
    ...(user === undefined ? {} : { user: parseUser(user) }),
    additionalGids: getList(options, "additional-gids").map((gid) => parseId(gid, "group")),
    caps: getList(options, "cap"),
    noNewPrivs: hasFlag(options, "no-new-privs"),
    ...pickText(options, "process-label", "processLabel"),
    ...pickText(options, "apparmor", "apparmor"),
    ...readPipeOptions(options),
    detach: hasFlag(options, "detach"),
    preserveFds: readPreserveFds(options),
    ignorePaused: hasFlag(options, "ignore-paused"),
    cgroup: getList(options, "cgroup"),
  };
}

function readCwd(options: OptionValues): { readonly cwd?: string } {
  const cwd = getText(options, "cwd");
  if (!cwd) return {};
  if (!cwd.startsWith("/"))
    throw new UsageError(`--cwd must be an absolute path, not ${JSON.stringify(cwd)}`);
  return { cwd };
}

function checkVariable(text: string): string {
  if (text.indexOf("=") > 0) return text;
  throw new UsageError(`--env must be NAME=VALUE, not ${JSON.stringify(text)}`);
}
