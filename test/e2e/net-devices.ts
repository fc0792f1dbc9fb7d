// What the tests of linux.netDevices share: devices of the host, and what a network namespace has.
import { afterEach, describe } from "bun:test";
import type { Config } from "./config.ts";
import { isPeer } from "./harness.ts";

export function ip(...args: string[]): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync(["ip", ...args]);
  if (exitCode !== 0) throw new Error(`ip ${args.join(" ")}: ${stderr.toString()}`);
  return stdout.toString();
}

/** A type of device that this kernel has and that has no other end. */
function findType(): string | undefined {
  return ["dummy", "ifb"].find((type) => {
    const name = `tsp${process.pid % 1_000_000}`;
    if (Bun.spawnSync(["ip", "link", "add", name, "type", type]).exitCode !== 0) return false;
    ip("link", "delete", name);
    return true;
  });
}

/** The type of the devices that the tests make. */
export const type = findType();
/** Debian's peers know nothing of it. */
export const ours = describe.skipIf(isPeer || type === undefined);

export interface Device {
  ifname: string;
  ifindex: number;
  flags: string[];
  mtu: number;
  address: string;
  addr_info: {
    local: string;
    prefixlen: number;
    scope: string;
    address?: string;
    broadcast?: string;
    noprefixroute?: boolean;
    nodad?: boolean;
  }[];
}

/** `ip -json addr` of a network namespace, ours unless another's file is given; without the kernel's own IPv6 addresses. */
export function listDevices(netns?: string): Device[] {
  const enter = netns === undefined ? [] : ["nsenter", `--net=${netns}`];
  const { stdout } = Bun.spawnSync([...enter, "ip", "-json", "addr"]);
  const devices = JSON.parse(stdout.toString()) as Device[];
  return devices.map((each) => ({
    ...each,
    addr_info: each.addr_info.filter(({ local }) => !local.startsWith("fe80:")),
  }));
}

/** Gives functions that make devices; after each test these are deleted. */
export function makeDevices() {
  let count = 0;
  const made: string[] = [];
  /** A name that no other test uses, within the kernel's 15 bytes. */
  function newName(): string {
    const name = `ts${process.pid % 1_000_000}-${++count}`;
    made.push(name);
    return name;
  }

  afterEach(() => {
    for (const name of made.splice(0)) Bun.spawnSync(["ip", "link", "delete", name]);
  });

  /** A device that is up and has these addresses. */
  function makeDevice(...addresses: string[][]): string {
    const name = newName();
    ip("link", "add", name, "type", type ?? "dummy");
    for (const address of addresses) ip("addr", "add", ...address, "dev", name);
    ip("link", "set", name, "up");
    return name;
  }

  return { made, newName, makeDevice };
}

export function withDevices(devices: Record<string, { name?: string }>, change?: (config: Config) => void) {
  return (config: Config): void => {
    (config.linux as { netDevices?: unknown }).netDevices = devices;
    change?.(config);
  };
}

export const find = (devices: readonly Device[], name: string): Device | undefined =>
  devices.find(({ ifname }) => ifname === name);
export const addressesOf = (device: Device | undefined): string[] | undefined =>
  device?.addr_info.map(({ local, prefixlen }) => `${local}/${prefixlen}`);
