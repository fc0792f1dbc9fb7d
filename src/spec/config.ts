// Reads config.json and its parts: JSON, schema, rules across members.
import type * as z from "zod/mini";
import { ConfigError, type Problem } from "../errors.ts";
import { applyRules, toProblems } from "./check.ts";
import { type Config, configSchema } from "./config-schema.ts";
import { parseJson } from "./json.ts";
import { type RawIssue, type Segments, segmentsOf, toProblem } from "./problems.ts";
import { type Process, processSchema } from "./process.ts";
import { type Resources, resourcesSchema } from "./resources.ts";
import { findNulBytes, RULES } from "./rules.ts";
import { RUN } from "./scalars.ts";

export type { Config } from "./config-schema.ts";
export type { LinuxDevice } from "./devices.ts";
export type { Hook, HookName, Hooks } from "./hooks.ts";
export type { IntelRdt } from "./intel-rdt.ts";
export type { Linux, Personality } from "./linux.ts";
export type { MemoryPolicy } from "./memory-policy.ts";
export type { IdMapping, LinuxNamespace, NamespaceType, TimeOffset, TimeOffsets } from "./namespaces.ts";
export type { NetDevices } from "./net-devices.ts";
export type {
  Capabilities,
  ExecCpuAffinity,
  IoPriority,
  Process,
  Rlimit,
  Scheduler,
  User,
} from "./process.ts";
export type {
  BlockIoResources,
  CpuResources,
  DeviceRule,
  MemoryResources,
  Resources,
} from "./resources.ts";
export type { Mount, Root } from "./root.ts";
export type { Seccomp, SeccompArgument, SeccompSyscall } from "./seccomp.ts";
export { configWarnings } from "./warnings.ts";

/** A config that can be started. */
export type RunnableConfig = Config & { readonly process: Process };

/** Where a document stands within a config, so that the same rules serve a process file and resources. */
interface Place {
  /** Member names, with dots. */
  readonly under: string;
  /** How many they are. */
  readonly depth: number;
  /** Puts the parsed document there. */
  readonly wrap: (value: unknown) => unknown;
}

const WHOLE: Place = { under: "", depth: 0, wrap: (value) => value };
const PROCESS: Place = { under: "process", depth: 1, wrap: (process) => ({ process }) };
const RESOURCES: Place = {
  under: "linux.resources",
  depth: 2,
  wrap: (resources) => ({ linux: { resources } }),
};

/** Problems that one error lists at most. */
const MAX_PROBLEMS = 100;

function configError(document: string, problems: readonly Problem[]): ConfigError {
  const rest = problems.length - MAX_PROBLEMS;
  if (rest <= 0) return new ConfigError(document, problems);
  const more = { path: "", message: `and ${rest} more problems` };
  return new ConfigError(document, [...problems.slice(0, MAX_PROBLEMS), more]);
}

function runSchema(document: string, schema: z.ZodMiniType, value: unknown) {
  try {
    const parsed = schema._zod.run({ value, issues: [] }, RUN);
    if (parsed instanceof Promise) throw new TypeError("the schema is asynchronous");
    return parsed;
  } catch (error) {
    // zod hands issues on as call arguments: a hundred thousand of them do not fit on the stack.
    if (!(error instanceof RangeError)) throw error;
    throw new ConfigError(document, [{ path: "", message: "has too many problems to list" }]);
  }
}

/** JSON text, schema, rules. Gives the value (usable only without problems) and every problem. */
function readDocument(document: string, text: string, schema: z.ZodMiniType, place: Place) {
  const parsed = runSchema(document, schema, parseJson(document, text));
  const issues = parsed.issues as readonly RawIssue[];
  const prefix = place.under === "" ? [] : place.under.split(".");
  const broken: Segments[] = issues.map((issue) => [...prefix, ...segmentsOf(issue)]);
  const config = place.wrap(parsed.value) as Config;
  const found = [
    // A raw NUL is no JSON, so one can only come from this escape.
    ...(text.includes("\\u0000") ? findNulBytes(config) : []),
    ...applyRules(RULES, config, place.under, broken),
  ];
  const problems: Problem[] = [...issues.map(toProblem), ...toProblems(found, place.depth)];
  return { value: parsed.value, problems };
}

function parseDocument(document: string, text: string, schema: z.ZodMiniType, place: Place): unknown {
  const { value, problems } = readDocument(document, text, schema, place);
  if (problems.length > 0) throw configError(document, problems);
  return value;
}

/**
 * Parses and checks config.json. 64-bit members come out as bigint, all other numbers as number; absent, null
 * and (for texts where Go's callers mean absent) empty members as undefined.
 * @param options.requireProcess also refuses a config without `process`, which the spec allows at create but
 *   which can never be started
 * @throws ConfigError that lists every problem
 */
export function parseConfig(text: string, options: { readonly requireProcess: true }): RunnableConfig;
export function parseConfig(text: string): Config;
export function parseConfig(text: string, options?: { readonly requireProcess: true }): Config {
  const { value, problems } = readDocument("config.json", text, configSchema, WHOLE);
  const config = value as Config;
  const lacksProcess =
    options?.requireProcess === true &&
    config?.process === undefined &&
    !problems.some((problem) => problem.path === "" || problem.path === "process");
  const missing = { path: "", message: "process property must not be empty" };
  const all = lacksProcess ? [...problems, missing] : problems;
  if (all.length > 0) throw configError("config.json", all);
  return config;
}

/**
 * Parses and checks the file of `exec --process` (config.md "Process").
 * @param document name of the file, for errors
 * @throws ConfigError that lists every problem
 */
export function parseProcess(text: string, document = "process.json"): Process {
  return parseDocument(document, text, processSchema, PROCESS) as Process;
}

/**
 * Parses and checks the file of `update --resources` (config-linux.md "Control groups").
 * @param document name of the file, for errors
 * @throws ConfigError that lists every problem
 */
export function parseResources(text: string, document = "resources.json"): Resources {
  return parseDocument(document, text, resourcesSchema(), RESOURCES) as Resources;
}
