// Reads config.json and its parts: JSON, schema, rules across members.
import { ConfigError, type Problem } from "../errors.ts";
import { applyRules, toProblems } from "./check.ts";
import { type Checker, checkConfig, checkProcess, checkResources } from "./compiled-checkers.ts";
import type { Config } from "./config-schema.ts";
import { parseJson } from "./json.ts";
import type { Process } from "./process.ts";
import type { Resources } from "./resources.ts";
import { findNulBytes, RULES } from "./rules.ts";
import type { DocumentKind, SchemaResult } from "./schemas.ts";

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

/** A kind of document, and where it stands within a config, so that the same rules serve all kinds. */
interface Form {
  readonly kind: DocumentKind;
  readonly check: Checker;
  /** Member names, with dots. */
  readonly under: string;
  /** How many they are. */
  readonly depth: number;
  /** Puts the parsed document there. */
  readonly wrap: (value: unknown) => unknown;
}

const CONFIG: Form = { kind: "config", check: checkConfig, under: "", depth: 0, wrap: (value) => value };
const PROCESS: Form = {
  kind: "process",
  check: checkProcess,
  under: "process",
  depth: 1,
  wrap: (process) => ({ process }),
};
const RESOURCES: Form = {
  kind: "resources",
  check: checkResources,
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

/** Checks a document with the compiled checker, and if that says no with zod, which finds out what is wrong. */
function checkDocument(document: string, { kind, check }: Form, input: unknown): SchemaResult {
  const value = check(input);
  if (value !== undefined) return { value, issues: [] };
  // Not an import: zod and the schemas take longer to load than a config takes to read, and nearly every config is
  // good. The bundler puts what is required here into a function that runs at the call.
  const { runSchema } = require("./schemas.ts") as typeof import("./schemas.ts");
  try {
    return runSchema(kind, input);
  } catch (error) {
    // zod hands issues on as call arguments: a hundred thousand of them do not fit on the stack.
    if (!(error instanceof RangeError)) throw error;
    throw new ConfigError(document, [{ path: "", message: "has too many problems to list" }]);
  }
}

/** JSON text, schema, rules. Gives the value (usable only without problems) and every problem. */
function readDocument(document: string, text: string, form: Form) {
  const { value, issues } = checkDocument(document, form, parseJson(document, text));
  const prefix = form.under === "" ? [] : form.under.split(".");
  const config = form.wrap(value) as Config;
  const broken = issues.map(({ segments }) => [...prefix, ...segments]);
  const found = [
    // A raw NUL is no JSON, so one can only come from this escape.
    ...(text.includes("\\u0000") ? findNulBytes(config) : []),
    ...applyRules(RULES, config, form.under, broken),
  ];
  const problems: Problem[] = [...toProblems(issues, 0), ...toProblems(found, form.depth)];
  return { value, problems };
}

function parseDocument(document: string, text: string, form: Form): unknown {
  const { value, problems } = readDocument(document, text, form);
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
  const { value, problems } = readDocument("config.json", text, CONFIG);
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
  return parseDocument(document, text, PROCESS) as Process;
}

/**
 * Parses and checks the file of `update --resources` (config-linux.md "Control groups").
 * @param document name of the file, for errors
 * @throws ConfigError that lists every problem
 */
export function parseResources(text: string, document = "resources.json"): Resources {
  return parseDocument(document, text, RESOURCES) as Resources;
}
