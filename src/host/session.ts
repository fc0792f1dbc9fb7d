// Drives init: sends the steps of the init lane in batches, does the steps of the host lane in between.
import { errnoNumber } from "../linux/errno.ts";
import type { Architecture } from "../linux/syscalls.ts";
import { findBatchEnd } from "../plan/cut.ts";
import { stepError } from "../plan/print.ts";
import { decodeReportHeader, REPORT_SIZE, type ReportHeader } from "../plan/report.ts";
import type { HostStep, InitStep, OutBuffer, Plan, Step } from "../plan/step.ts";
import { type Batch, encodeBatch } from "../plan/wire.ts";
import { type BatchLog, findReportedStep, logBatch, openBatchLog } from "./batch-log.ts";
import { type Conversation, finish } from "./conversation.ts";
import { closeFd, setReceiveTimeout } from "./fd.ts";
import { BATCH_TIMEOUT_MS, receive, sendAll } from "./init-socket.ts";
import { readKernelMessage } from "./kernel-message.ts";
import type { Launched } from "./launch.ts";
import { reapChild } from "./process.ts";

/** Does a step of the host lane. */
type Perform = (step: HostStep) => void;

interface SentBatch {
  readonly number: number;
  readonly batch: Batch;
  readonly steps: readonly InitStep[];
  /** Index of the first step in its plan. */
  readonly first: number;
  /** How often its first step has been tried, this time included. */
  readonly attempt: number;
  readonly perform: Perform | undefined;
}

/** A conversation with one init. */
export interface Session {
  readonly init: Launched;
  readonly arch: Architecture;
  /** Results of init's steps by index in the plan; negative: minus a tolerated errno. */
  readonly results: Map<number, bigint>;
  /** What the calls left in out buffers, after the batch that named them. */
  readonly outputs: Map<OutBuffer, Uint8Array>;
  /** Pid (on the host) of the process that the fork step made; 0 before. */
  pid: number;
  readonly log: BatchLog;
  /** The last batch, if its answer has not been waited for yet. */
  unanswered: SentBatch | undefined;
  /** Instead of running a step, fail it with an errno: for tests. */
  readonly injectFailure?: (step: Step, index: number) => number | undefined;
}

export function openSession(
  init: Launched,
  arch: Architecture,
  injectFailure?: Session["injectFailure"],
): Session {
  setReceiveTimeout(init.libc, init.socket, BATCH_TIMEOUT_MS);
  return {
    init,
    arch,
    results: new Map(),
    outputs: new Map(),
    pid: 0,
    log: openBatchLog(),
    unanswered: undefined,
    ...(injectFailure ? { injectFailure } : {}),
  };
}

/** Closes the host's end: an init that waits for a batch ends. */
export function closeSession(session: Session): void {
  closeFd(session.init.libc, session.init.socket);
}

/**
 * Runs a plan from its first to its last step, or from where {@link beginPlan} has left off. Throws the error of the
 * step that failed; what was made before it is the caller's to undo.
 */
export function runPlan(session: Session, plan: Plan, perform: Perform, from = 0): void {
  finish(discussPlan(session, plan, perform, from));
}

/** {@link runPlan} as a conversation. */
export function* discussPlan(session: Session, plan: Plan, perform: Perform, from = 0): Conversation {
  yield* advancePlan(session, plan, perform, from);
  yield* takeAnswers(session);
}

/**
 * Runs a plan as far as it is known, without waiting for the answer to its last batch, so that the rest can be
 * compiled meanwhile. Gives the index of the step that comes next.
 */
export function beginPlan(session: Session, plan: Plan, perform: Perform, from = 0): number {
  return finish(advancePlan(session, plan, perform, from));
}

function* advancePlan(session: Session, plan: Plan, perform: Perform, from: number): Conversation<number> {
  let i = from;
  while (i < plan.steps.length) {
    yield* takeAnswers(session);
    const step = plan.steps[i] as Step;
    if (step.lane === "host") {
      const errno = session.injectFailure?.(step, i);
      if (errno !== undefined) throw stepError(injectedStep(step), errno);
      perform(step);
      i++;
      continue;
    }
    const end = findBatchEnd(plan.steps, i);
    sendBatch(session, plan.steps.slice(i, end) as InitStep[], i, perform);
    i = end;
  }
  return i;
}

/**
 * How often a step is tried. A look-up below a directory fails with EAGAIN when something is renamed or mounted anywhere
 * meanwhile (openat2(2)); what the host has made for it may be gone again.
 */
const ATTEMPTS = 128;

/** Runs consecutive steps of the init lane as one batch; `first` is the index of the first one in its plan. */
export function runBatch(session: Session, steps: readonly InitStep[], first: number): void {
  sendBatch(session, steps, first);
  takeAnswer(session);
}

/** As {@link runBatch}, but does not wait: {@link takeAnswer} does, and must come before the next batch. */
function sendBatch(
  session: Session,
  steps: readonly InitStep[],
  first: number,
  perform?: Perform,
  attempt = 1,
): void {
  const batch = encodeSteps(session, steps, first);
  const number = logBatch(session.log, batch, steps, first);
  sendAll(session, batch.bytes);
  session.unanswered = { number, batch, steps, first, attempt, perform };
}

/** Waits for the answer to a batch that was sent, if there is one. Throws the error of the step that failed. */
export function takeAnswer(session: Session): void {
  finish(takeAnswers(session));
}

function* takeAnswers(session: Session): Conversation {
  while (session.unanswered !== undefined) {
    const sent = session.unanswered;
    session.unanswered = undefined;
    yield* takeAnswerTo(session, sent);
  }
}

/** After a failure that may pass, sends the rest of the batch again. */
function* takeAnswerTo(session: Session, sent: SentBatch): Conversation {
  const { number, batch, steps, first, attempt, perform } = sent;
  const { fork } = batch;
  let hasPid = false;
  const takeFork = (header: ReportHeader): void => {
    session.pid = header.value;
    hasPid = true;
    reapChild(session.init.libc, session.init.launcherPid);
  };
  yield BATCH_TIMEOUT_MS;
  let header = decodeReportHeader(receive(session, REPORT_SIZE));
  if (header.type === "forked") {
    takeFork(header);
    yield BATCH_TIMEOUT_MS;
    header = decodeReportHeader(receive(session, REPORT_SIZE));
  }
  const rest = receive(session, 8 * header.resultCount + header.outLength);
  // A process that an earlier batch has made has failed. Init waits for it in the one that is unanswered.
  if (header.batch !== number)
    throw stepError(findReportedStep(session.log, header.batch, header.index), header.value);
  takeResults(session, batch, header.index, rest, header.resultCount);
  const index = header.type === "done" ? first + steps.length : (batch.planIndex[header.index] as number);
  // Parent and child report on their own: the child may be done, or have failed, before its pid is told.
  if (fork >= 0 && index > first + fork && !hasPid) {
    yield BATCH_TIMEOUT_MS;
    takeFork(decodeReportHeader(receive(session, REPORT_SIZE)));
  }
  if (header.type === "done") return;
  const step = steps[index - first] as InitStep;
  const tried = index === first ? attempt : 1;
  if (tried < ATTEMPTS && mayPass(step, header.value, perform))
    sendBatch(session, steps.slice(index - first), index, perform, tried + 1);
  else throw stepError(step, header.value, readKernelMessage(session, step));
}

/** Whether a step that failed may succeed when it is made again, perhaps because of what the host does here. */
function mayPass(step: InitStep, errno: number, perform: Perform | undefined): boolean {
  if (step.retry && perform && errno === errnoNumber(step.retry.after)) {
    perform({ lane: "host", action: step.retry.action, source: step.source });
    return true;
  }
  return step.call === "openat2" && errno === errnoNumber("EAGAIN");
}

/**
 * Encodes steps as a batch that is sent later or by another process. Results of steps before `first` must be
 * known.
 */
export function encodeSteps(session: Session, steps: readonly InitStep[], first: number): Batch {
  const injected = session.injectFailure
    ? steps.map((step, i) => {
        const errno = session.injectFailure?.(step, first + i);
        return errno === undefined ? step : { ...failingStep(step, errno) };
      })
    : steps;
  return encodeBatch(
    injected,
    first,
    (step) => {
      const result = session.results.get(step);
      if (result === undefined) throw new Error(`the result of step ${step} is not known`);
      return result;
    },
    session.arch,
    (buffer) => session.outputs.get(buffer),
  );
}

function failingStep(step: InitStep, errno: number): InitStep {
  return { ...step, call: "check", args: [1, 1, 0, errno], closes: 0 };
}

function injectedStep(step: HostStep): InitStep {
  return { lane: "init", call: "check", args: [], source: step.source, tolerate: [] };
}

function takeResults(session: Session, batch: Batch, done: number, bytes: Uint8Array, count: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let i = 0; i < Math.min(count, done); i++)
    session.results.set(batch.planIndex[i] as number, view.getBigInt64(8 * i, true));
  for (const [buffer, offset] of batch.buffers) {
    const at = 8 * count + offset;
    const output = new Uint8Array(buffer.size); // the zeros at the out area's end are not sent
    output.set(bytes.subarray(at, at + buffer.size));
    session.outputs.set(buffer, output);
  }
}
