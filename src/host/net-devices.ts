// linux.netDevices (config-linux.md, "Network Devices"): devices of this network namespace go to the container's with
// their permanent global addresses. The kernel takes addresses away from a device that changes its namespace.
import { closeSync, openSync, statSync } from "node:fs";
import type { Libc } from "../../native-bindings/libc.ts";
import { readNamespaces } from "../compile/namespaces.ts";
import { ConfigError, messageOf, SyscallError, TsruncError, toSyscallError } from "../errors.ts";
import {
  type Address,
  addAddress,
  decodeAddress,
  decodeLink,
  getLink,
  type Link,
  listAddresses,
  listLinks,
  moveLink,
  RTM,
  setLinkUp,
} from "../linux/rtnetlink.ts";
import type { NetDevice } from "../plan/host-action.ts";
import type { Config } from "../spec/config.ts";
import { formatPath } from "../spec/problems.ts";
import { type Netlink, openNetlink, wrapNetlink } from "./netlink.ts";
import { openPidfd } from "./signal.ts";

const EEXIST = 17;
const INTENT = "linux.netDevices: move network devices to the container";

/** A network namespace: a socket in it, and a descriptor of it. */
interface Place {
  readonly netlink: Netlink;
  readonly namespace: number;
}

/** A device on its way: from where it can be put back at any time. */
interface Move {
  readonly path: string;
  readonly before: Link;
  readonly addresses: readonly Address[];
  /** Its index in the container. */
  readonly index: number;
}

/** Devices that a container has got. */
export interface MovedDevices {
  /** Puts everything back as it was, for a container that does not come to be; gives what went wrong. */
  readonly giveBack: () => readonly string[];
  readonly close: () => void;
}

/** Throws ConfigError for what can be told before anything is made. `euid` other than 0: an ordinary user. */
export function checkNetDevices(config: Config, euid: number): void {
  if (Object.keys(config.linux?.netDevices ?? {}).length === 0) return;
  const refuse = (message: string): never => {
    throw new ConfigError("config.json", [{ path: "linux.netDevices", message }]);
  };
  if (euid !== 0) refuse("network devices are not supported for rootless containers");
  const joined = readNamespaces(config).joined.get("network");
  // A path that cannot be looked at is told by the step that joins it.
  const theirs = joined && statSync(joined.path, { throwIfNoEntry: false });
  const own = statSync("/proc/self/ns/net");
  if (theirs && theirs.dev === own.dev && theirs.ino === own.ino)
    refuse("cannot be moved to the runtime's own network namespace");
}

/**
 * Moves devices to the network namespace of the process `pid`, in which its descriptor `socket` is a netlink socket;
 * all of them or, with an error, none. Throws TsruncError.
 */
export function moveNetDevices(
  libc: Libc,
  process: { readonly pid: number; readonly socket: number },
  devices: readonly NetDevice[],
): MovedDevices {
  const places: Place[] = [];
  const moves: Move[] = [];
  const giveBack = (): readonly string[] =>
    moves
      .splice(0)
      .reverse()
      .flatMap((move) => {
        try {
          returnDevice(places, move);
          return [];
        } catch (error) {
          return [messageOf(error)];
        }
      });
  const close = (): void => {
    for (const { netlink, namespace } of places.splice(0)) {
      netlink.close();
      closeSync(namespace);
    }
  };
  try {
    places.push(openPlace(openNetlink(libc, INTENT), "/proc/self/ns/net"));
    places.push(openPlace(takeSocket(libc, process), `/proc/${process.pid}/ns/net`));
    checkNames(places, devices);
    for (const device of devices) moveDevice(places, device, moves);
    return { giveBack, close };
  } catch (error) {
    const problems = giveBack();
    close();
    throw problems.length === 0 ? error : new TsruncError([messageOf(error), ...problems].join("; "));
  }
}

/** Owns the socket, also after an error. */
function openPlace(netlink: Netlink, path: string): Place {
  try {
    return { netlink, namespace: openSync(path, "r") };
  } catch (error) {
    netlink.close();
    throw toSyscallError(error, INTENT, `open("${path}")`);
  }
}

/** init's socket: no process of this side need enter the container's namespace (pidfd_getfd(2)). */
function takeSocket(libc: Libc, { pid, socket }: { readonly pid: number; readonly socket: number }): Netlink {
  const pidfd = openPidfd(libc, pid);
  if (pidfd === undefined) throw new TsruncError(`${INTENT}: the container's init process ended`);
  try {
    const fd = libc.pidfd_getfd(pidfd, socket, 0); // close-on-exec
    if (fd < 0) throw new SyscallError(INTENT, `pidfd_getfd(pidfd, ${socket})`, libc.errno());
    return wrapNetlink(libc, fd);
  } finally {
    libc.close(pidfd);
  }
}

function listAll({ netlink }: Place, intent: string): readonly Link[] {
  const messages = netlink.ask(intent, listLinks());
  return messages.filter(({ type }) => type === RTM.NEWLINK).map(decodeLink);
}

/** So that a name which is wrong changes nothing, not even for a moment. */
function checkNames([here, there]: readonly Place[], devices: readonly NetDevice[]): void {
  const taken = new Set(listAll(there as Place, INTENT).map(({ name }) => name));
  for (const device of devices) {
    findDevice(here as Place, device);
    if (taken.has(device.newName))
      throw new TsruncError(`${tell(device)}: the container has a network device of this name already`);
  }
}

function tell({ name, newName }: NetDevice): string {
  const path = formatPath(["linux", "netDevices", name]);
  return `${path}: move the network device ${name} to the container${name === newName ? "" : ` as ${newName}`}`;
}

function findDevice(here: Place, device: NetDevice): Link {
  const intent = tell(device);
  const message = here.netlink.ask(intent, getLink(device.name)).find(({ type }) => type === RTM.NEWLINK);
  if (message === undefined) throw new TsruncError(`${intent}: the kernel did not answer`);
  return decodeLink(message);
}

/** As runc: down, moved and renamed in one request, its addresses, up. */
function moveDevice([here, there]: readonly Place[], device: NetDevice, moves: Move[]): void {
  const [from, to] = [here as Place, there as Place];
  const intent = tell(device);
  const before = findDevice(from, device);
  const addresses = from.netlink
    .ask(intent, listAddresses())
    .filter(({ type }) => type === RTM.NEWADDR)
    .map(decodeAddress)
    .filter(({ index, isPermanent, isGlobal }) => index === before.index && isPermanent && isGlobal);
  const index = chooseIndex(listAll(to, intent), before.index);
  moves.push({ path: formatPath(["linux", "netDevices", device.name]), before, addresses, index });
  from.netlink.ask(intent, setLinkUp(before, false));
  from.netlink.ask(intent, moveLink(before, { namespace: to.namespace, name: device.newName, index }));
  const after = listAll(to, intent).find((link) => link.index === index);
  if (after === undefined) throw new TsruncError(`${intent}: it did not arrive`);
  for (const address of addresses) to.netlink.ask(intent, addAddress(address, after));
  to.netlink.ask(intent, setLinkUp(after, true));
}

/** The index that a device has is kept where it is free. Given one, it is found again whatever its name becomes. */
function chooseIndex(links: readonly Link[], index: number): number {
  const taken = links.map((link) => link.index);
  return taken.includes(index) ? Math.max(...taken) + 1 : index;
}

/** From wherever it is now. IPv6 addresses are gone as soon as a device is down, IPv4 ones are still there. */
function returnDevice([here, there]: readonly Place[], { path, before, addresses, index }: Move): void {
  const [home, away] = [here as Place, there as Place];
  const intent = `${path}: give the network device ${before.name} back`;
  const isHome = listAll(home, intent).some(
    (link) => link.index === before.index && link.name === before.name,
  );
  if (!isHome) {
    const link = listAll(away, intent).find((each) => each.index === index);
    if (link === undefined) throw new TsruncError(`${intent}: it is gone`);
    away.netlink.ask(intent, setLinkUp(link, false));
    away.netlink.ask(
      intent,
      moveLink(link, { namespace: home.namespace, name: before.name, index: before.index }),
    );
  }
  for (const address of addresses)
    try {
      home.netlink.ask(intent, addAddress(address, before));
    } catch (error) {
      if (!(error instanceof SyscallError && error.errno === EEXIST)) throw error;
    }
  if (before.isUp) home.netlink.ask(intent, setLinkUp(before, true));
}
