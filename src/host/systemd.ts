// systemd's manager on D-Bus: makes, changes and stops a container's unit (org.freedesktop.systemd1(5)).
import { lstatSync } from "node:fs";
import type { SystemdFacts, UnitPlan, UnitProperty, UnitRecord } from "../cgroup/types.ts";
import type { Context } from "../context.ts";
import { messageOf, TsruncError } from "../errors.ts";
import { type Bus, BusError, type Call, callBus, closeBus, openBus, readText, readUint32 } from "./bus.ts";
import { isInUserNamespace } from "./in-user-namespace.ts";

const SYSTEMD = "org.freedesktop.systemd1";
const MANAGER = `${SYSTEMD}.Manager`;
const NO_SUCH_UNIT = `${SYSTEMD}.NoSuchUnit`;
const UNIT_EXISTS = `${SYSTEMD}.UnitExists`;
/** How long systemd may take to start or stop a unit, in milliseconds. */
const JOB_MS = 30_000;

/**
 * What the systemd driver has to know. An ordinary user, and root of a user namespace, have a manager of their own.
 * Throws TsruncError where no systemd runs.
 */
export function readSystemdFacts(ctx: Context): SystemdFacts {
  // sd_booted(3).
  if (!lstatSync("/run/systemd/system", { throwIfNoEntry: false })?.isDirectory())
    throw new TsruncError("systemd not running on this host, cannot use systemd cgroups manager");
  const isUser = ctx.euid !== 0 || isInUserNamespace();
  return withManager(ctx, isUser, (bus) => {
    const version = /\d+/.exec(getProperty(bus, "Version"))?.[0];
    if (version === undefined) throw new TsruncError("systemd does not tell its version");
    return { isUser, version: Number(version), controlGroup: getProperty(bus, "ControlGroup") };
  });
}

/**
 * Starts a container's unit around a process, and waits until it stands. A unit of this name that has failed makes
 * way. Throws TsruncError.
 */
export function startUnit(ctx: Context, { record, properties }: UnitPlan, pid: number): void {
  const all = [...properties, { name: "PIDs", signature: "au", value: [pid] }];
  inUnit(ctx, record, "start", (bus) => {
    const call = manager("StartTransientUnit", "ssa(sv)a(sa(sv))", [
      record.name,
      "fail",
      all.map(({ name, signature, value }) => [name, { signature, value }]),
      [],
    ]);
    try {
      runJob(bus, call);
    } catch (error) {
      if (!(error instanceof BusError && error.busName === UNIT_EXISTS)) throw error;
      resetFailed(bus, record);
      runJob(bus, call);
    }
  });
}

/** Sets properties of a unit until the next boot. Throws TsruncError. */
export function setUnitProperties(
  ctx: Context,
  record: UnitRecord,
  properties: readonly UnitProperty[],
): void {
  if (properties.length === 0) return;
  inUnit(ctx, record, "change", (bus) => {
    const values = properties.map(({ name, signature, value }) => [name, { signature, value }]);
    callBus(bus, manager("SetUnitProperties", "sba(sv)", [record.name, true, values]));
  });
}

/**
 * Moves a process into a unit, which an ordinary user may not do by itself. `inner` is a cgroup of the unit's, from its
 * own one (`/`) on. Throws TsruncError.
 */
export function attachToUnit(ctx: Context, record: UnitRecord, pid: number, inner = "/"): void {
  inUnit(ctx, record, "join", (bus) => {
    callBus(bus, manager("AttachProcessesToUnit", "ssau", [record.name, inner, [pid]]));
  });
}

/** Stops a unit, waits for its end, and makes systemd forget it if it failed. No error if it is gone. */
export function stopUnit(ctx: Context, record: UnitRecord): void {
  inUnit(ctx, record, "stop", (bus) => {
    try {
      runJob(bus, manager("StopUnit", "ss", [record.name, "replace"]));
    } catch (error) {
      if (!(error instanceof BusError && error.busName === NO_SUCH_UNIT)) throw error;
    }
    resetFailed(bus, record);
  });
}

/** Only a unit that has failed stays when its processes have ended. */
function resetFailed(bus: Bus, { name }: UnitRecord): void {
  try {
    callBus(bus, manager("ResetFailedUnit", "s", [name]));
  } catch (error) {
    if (!(error instanceof BusError && error.busName === NO_SUCH_UNIT)) throw error;
  }
}

function manager(member: string, signature: string, values: Call["values"]): Call {
  return {
    destination: SYSTEMD,
    path: "/org/freedesktop/systemd1",
    iface: MANAGER,
    member,
    signature,
    values,
  };
}

function getProperty(bus: Bus, name: string): string {
  const call = manager("Get", "ss", [MANAGER, name]);
  return callBus(bus, { ...call, iface: "org.freedesktop.DBus.Properties" }, "v");
}

function inUnit(ctx: Context, { name, isUser }: UnitRecord, verb: string, action: (bus: Bus) => void): void {
  try {
    withManager(ctx, isUser, action);
  } catch (error) {
    if (!(error instanceof TsruncError)) throw error;
    throw new TsruncError(`linux.cgroupsPath: ${verb} systemd unit ${name}: ${error.message}`, {
      cause: error,
    });
  }
}

function withManager<T>(ctx: Context, isUser: boolean, action: (bus: Bus) => T): T {
  const bus = openManager(ctx, isUser);
  try {
    return action(bus);
  } finally {
    closeBus(bus);
  }
}

function openManager(ctx: Context, isUser: boolean): Bus {
  const { DBUS_SESSION_BUS_ADDRESS, DBUS_SYSTEM_BUS_ADDRESS, XDG_RUNTIME_DIR } = ctx.env;
  if (isUser) {
    const address = DBUS_SESSION_BUS_ADDRESS || (XDG_RUNTIME_DIR && `unix:path=${XDG_RUNTIME_DIR}/bus`);
    if (address) return openBus(ctx, address);
    throw new TsruncError(
      "the user's D-Bus is not known: neither DBUS_SESSION_BUS_ADDRESS nor XDG_RUNTIME_DIR",
    );
  }
  try {
    return openBus(ctx, DBUS_SYSTEM_BUS_ADDRESS || "unix:path=/run/dbus/system_bus_socket");
  } catch (error) {
    // Without a D-Bus daemon: systemd listens for root itself.
    ctx.log.debug(`${messageOf(error)}; trying systemd's own socket`);
    return openBus(ctx, "unix:path=/run/systemd/private", true);
  }
}

/** Makes a call that queues a job, and waits until the job is done. Throws TsruncError. */
function runJob(bus: Bus, call: Call): void {
  // Before the call, so that its end is not missed; systemd sends it to the caller in any case.
  addMatch(bus);
  const job = callBus(bus, call, "o");
  const end = performance.now() + JOB_MS;
  for (;;) {
    const result = findResult(bus, job);
    if (result === "done") return;
    if (result !== undefined) throw new TsruncError(`${call.member}: the job's result is ${result}`);
    if (performance.now() >= end)
      throw new TsruncError(`${call.member}: systemd is not done after ${JOB_MS} ms`);
  }
}

function addMatch(bus: Bus): void {
  const rule = `type='signal',sender='${SYSTEMD}',interface='${MANAGER}',member='JobRemoved'`;
  const daemon = "org.freedesktop.DBus";
  try {
    callBus(bus, {
      destination: daemon,
      path: "/org/freedesktop/DBus",
      iface: daemon,
      member: "AddMatch",
      signature: "s",
      values: [rule],
    });
  } catch (error) {
    // systemd's own socket has no daemon, and passes on every signal.
    if (!(error instanceof BusError)) throw error;
  }
}

/** The job's result, if it has ended; waits a little for the next message. */
function findResult({ library, pointer }: Bus, job: string): string | undefined {
  const message: [bigint | null] = [null];
  const processed = library.sd_bus_process(pointer, message);
  if (processed < 0) throw new TsruncError(`D-Bus: sd_bus_process(): error ${-processed}`);
  if (processed === 0) {
    library.sd_bus_wait(pointer, 1_000_000);
    return undefined;
  }
  const [received] = message;
  if (received === null) return undefined;
  try {
    if (library.sd_bus_message_is_signal(received, MANAGER, "JobRemoved") <= 0) return undefined;
    readUint32(library, received); // the job's number
    if (readText(library, received, "o") !== job) return undefined;
    readText(library, received, "s"); // the unit
    return readText(library, received, "s");
  } finally {
    library.sd_bus_message_unref(received);
  }
}
