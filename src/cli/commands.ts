// The commands by name. Only the one that is asked for is loaded.
import type { CommandDefinition } from "./command.ts";

interface Entry {
  readonly summary: string;
  readonly load: () => Promise<{ readonly command: CommandDefinition }>;
}

export const COMMANDS: Readonly<Record<string, Entry>> = {
  create: { summary: "create a container", load: () => import("./create.ts") },
  delete: { summary: "delete a container", load: () => import("./delete.ts") },
  events: { summary: "show out-of-memory events and statistics", load: () => import("./events.ts") },
  exec: { summary: "execute a program in a container", load: () => import("./exec.ts") },
  features: { summary: "show what this build supports", load: () => import("./features.ts") },
  kill: { summary: "send a signal to a container", load: () => import("./kill.ts") },
  list: { summary: "list containers", load: () => import("./list.ts") },
  pause: { summary: "stop a container's processes for a time", load: () => import("./pause.ts") },
  plan: { summary: "show the system calls that create and start make", load: () => import("./plan.ts") },
  ps: { summary: "list the processes of a container", load: () => import("./ps.ts") },
  resume: { summary: "let a paused container go on", load: () => import("./resume.ts") },
  run: { summary: "create and start a container", load: () => import("./run.ts") },
  spec: { summary: "write a config.json to start from", load: () => import("./spec.ts") },
  start: { summary: "start the program of a created container", load: () => import("./start.ts") },
  stats: { summary: "show what containers use", load: () => import("./stats.ts") },
  state: { summary: "show the state of a container", load: () => import("./state.ts") },
  update: { summary: "change the resources of a container", load: () => import("./update.ts") },
};

/** Commands of runc that tsrunc has not got yet. */
export const MISSING_COMMANDS: readonly string[] = ["checkpoint", "restore"];
