// linux.netDevices: devices of the host's network namespace arrive in the container, or stay where they were.
import { afterEach, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Config, dropNamespace } from "./config.ts";
import { isPeer, openSandbox } from "./harness.ts";

const box = openSandbox("netdev");
function ip(...args: string[]): string {
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

const type = findType();
/** Debian's peers know nothing of it. */
const ours = describe.skipIf(isPeer || type === undefined);

interface Device {
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
function listDevices(netns?: string): Device[] {
  const enter = netns === undefined ? [] : ["nsenter", `--net=${netns}`];
  const { stdout } = Bun.spawnSync([...enter, "ip", "-json", "addr"]);
  const devices = JSON.parse(stdout.toString()) as Device[];
  return devices.map((each) => ({
    ...each,
    addr_info: each.addr_info.filter(({ local }) => !local.startsWith("fe80:")),
  }));
}

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

function withDevices(devices: Record<string, { name?: string }>, change?: (config: Config) => void) {
  return (config: Config): void => {
    (config.linux as { netDevices?: unknown }).netDevices = devices;
    change?.(config);
  };
}

/** Starts a container with these devices, and gives what is in its network namespace. */
async function lookInside(devices: Record<string, { name?: string }>, change?: (config: Config) => void) {
  const bundle = box.bundle(["sleep", "60"], withDevices(devices, change));
  const id = box.id();
  await box.ok(["create", "--bundle", bundle.directory, id]);
  const { pid } = JSON.parse((await box.ok(["state", id])).stdout) as { pid: number };
  const inside = listDevices(`/proc/${pid}/ns/net`);
  await box.ok(["delete", "--force", id]);
  return inside;
}

const find = (devices: readonly Device[], name: string): Device | undefined =>
  devices.find(({ ifname }) => ifname === name);
const addressesOf = (device: Device | undefined): string[] | undefined =>
  device?.addr_info.map(({ local, prefixlen }) => `${local}/${prefixlen}`);

ours("a device arrives", () => {
  test("with its addresses, index, MAC and MTU, and up", async () => {
    const name = makeDevice(
      ["10.88.1.2/24", "broadcast", "10.88.1.255"],
      ["10.88.1.3/24"],
      ["192.0.2.1", "peer", "192.0.2.2"],
      ["10.88.2.2/16", "noprefixroute"],
      ["fd88::2/64", "nodad"],
    );
    ip("link", "set", name, "mtu", "1280");
    const before = find(listDevices(), name) as Device;
    const inside = await lookInside({ [name]: {} });
    const after = find(inside, name);
    expect(after?.flags).toContain("UP");
    const strip = ({ addr_info, mtu, address }: Device) => ({
      mtu,
      address,
      addr_info: addr_info.map(({ local, prefixlen, address, broadcast, noprefixroute }) => ({
        local,
        prefixlen,
        address,
        broadcast,
        noprefixroute,
      })),
    });
    expect(strip(after as Device)).toEqual(strip(before));
    expect(addressesOf(after)).toContain("fd88::2/64");
    // It was there, and went with the container.
    expect(find(listDevices(), name)).toBeUndefined();
  });

  test("renamed; a veth whose other end stays", async () => {
    const [name, peer] = [newName(), newName()];
    ip("link", "add", name, "type", "veth", "peer", "name", peer);
    ip("addr", "add", "10.88.3.2/24", "dev", name);
    ip("addr", "add", "10.88.3.1/24", "dev", peer);
    ip("link", "set", peer, "up");
    const bundle = box.bundle(
      ["sh", "-c", "ip addr show eth0 && ping -c 1 -W 5 10.88.3.1"],
      withDevices({ [name]: { name: "eth0" } }),
    );
    const result = await box.run(["run", "--bundle", bundle.directory, box.id()]);
    expect(result.stdout).toContain("inet 10.88.3.2/24");
    expect(result.stdout).toContain("1 packets received");
    expect(result.status).toBe(0);
  });

  test("addresses that are not permanent or not global do not come", async () => {
    const name = makeDevice(["10.88.4.2/24"], ["10.88.4.3/24", "valid_lft", "500", "preferred_lft", "500"]);
    ip("addr", "add", "10.89.4.4/24", "scope", "link", "dev", name);
    const inside = await lookInside({ [name]: {} });
    expect(addressesOf(find(inside, name))).toEqual(["10.88.4.2/24"]);
  });

  test("a template: the kernel chooses the number", async () => {
    const [one, two] = [makeDevice(["10.88.5.2/24"]), makeDevice(["10.88.6.2/24"])];
    const inside = await lookInside({ [one]: { name: "net%d" }, [two]: { name: "net%d" } });
    expect(addressesOf(find(inside, "net0"))).toEqual(["10.88.5.2/24"]);
    expect(addressesOf(find(inside, "net1"))).toEqual(["10.88.6.2/24"]);
  });

  test("in a user namespace, and before the hooks", async () => {
    const name = makeDevice(["10.88.7.2/24"]);
    const seen = join(box.directory, "seen");
    const script = join(box.directory, "hook.sh");
    writeFileSync(
      script,
      `#!/bin/sh\npid=$(sed 's/.*"pid":\\([0-9]*\\).*/\\1/')\nnsenter --net=/proc/$pid/ns/net ip -br addr show ${name} >${seen}\n`,
      { mode: 0o755 },
    );
    const inside = await lookInside({ [name]: {} }, (config) => {
      config.linux.namespaces.push({ type: "user" });
      config.linux.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
      config.linux.gidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
      config.hooks = { prestart: [{ path: script, args: [script], env: [`PATH=${process.env.PATH}`] }] };
    });
    expect(addressesOf(find(inside, name))).toEqual(["10.88.7.2/24"]);
    expect(await Bun.file(seen).text()).toContain("10.88.7.2/24");
  });

  test("into a network namespace that is joined, where its index is taken: it stays there", async () => {
    const netns = newName();
    ip("netns", "add", netns);
    try {
      const name = makeDevice(["10.88.8.2/24"]);
      const { ifindex } = find(listDevices(), name) as Device;
      const path = `/run/netns/${netns}`;
      ip("-netns", netns, "link", "add", "first", "index", String(ifindex), "type", type ?? "dummy");
      const inside = await lookInside({ [name]: {} }, (config) => {
        dropNamespace(config, "network");
        config.linux.namespaces.push({ type: "network", path });
      });
      expect(find(inside, name)?.ifindex).not.toBe(ifindex);
      expect(addressesOf(find(listDevices(path), name))).toEqual(["10.88.8.2/24"]);
    } finally {
      ip("netns", "delete", netns);
    }
  });
});

ours("nothing changes when it cannot be", () => {
  /** The devices that a test made, as they are now; IPv6 addresses are tentative for a while. */
  function noteDevices(...names: string[]): unknown {
    return names.map((name) => {
      const device = find(listDevices(), name);
      return { ifindex: device?.ifindex, flags: device?.flags, addresses: addressesOf(device)?.sort() };
    });
  }

  async function expectError(
    devices: Record<string, { name?: string }>,
    text: string,
    change?: (config: Config) => void,
  ) {
    const names = Object.keys(devices).filter((name) => made.includes(name));
    const before = noteDevices(...names);
    const result = await box.look(["true"], withDevices(devices, change));
    expect(result.status).toBe(1);
    expect(result.stderr.replaceAll("\\", "")).toContain(text);
    expect(noteDevices(...names)).toEqual(before);
  }

  test("no such device", async () => {
    const name = makeDevice(["10.88.9.2/24"]);
    await expectError(
      { [name]: {}, absent: { name: "eth0" } },
      'linux.netDevices.absent: move the network device absent to the container as eth0: RTM_GETLINK("absent"): no such device',
    );
  });

  test("the name is taken", async () => {
    const [one, two] = [makeDevice(["10.88.10.2/24"]), makeDevice(["10.88.11.2/24"])];
    await expectError(
      { [one]: {}, [two]: { name: "lo" } },
      `move the network device ${two} to the container as lo: the container has a network device of this name already`,
    );
  });

  test("a device that cannot be moved, after one that was", async () => {
    const name = makeDevice(["10.88.12.2/24"], ["fd88:12::2/64", "nodad"]);
    await expectError(
      { [name]: { name: "eth0" }, lo: { name: "other" } },
      'linux.netDevices.lo: move the network device lo to the container as other: RTM_SETLINK("lo", IFLA_NET_NS_FD, "other"): invalid argument',
    );
    expect(find(listDevices(), "lo")?.flags).toContain("UP");
  });

  test("a hook fails later", async () => {
    const name = makeDevice(["10.88.13.2/24"], ["fd88:13::2/64", "nodad"]);
    await expectError({ [name]: { name: "eth0" } }, "error running createRuntime hook #0", (config) => {
      config.hooks = { createRuntime: [{ path: "/bin/false" }] };
    });
  });

  test("the namespace is the host's", async () => {
    const name = makeDevice(["10.88.14.2/24"]);
    await expectError(
      { [name]: {} },
      "linux.netDevices: cannot be moved to the runtime's own network namespace",
      (config) => {
        dropNamespace(config, "network");
        config.linux.namespaces.push({ type: "network", path: "/proc/self/ns/net" });
      },
    );
  });

  test("no network namespace", async () => {
    const name = makeDevice(["10.88.15.2/24"]);
    await expectError(
      { [name]: {} },
      "linux.netDevices: needs a network namespace in linux.namespaces",
      (config) => dropNamespace(config, "network"),
    );
  });
});

ours("what is told", () => {
  test("plan shows the move, features says so", async () => {
    const bundle = box.bundle(["true"], withDevices({ absent: { name: "eth0" }, other: {} }));
    const { stdout } = await box.ok(["plan", "--bundle", bundle.directory, box.id()]);
    expect(stdout).toContain("host  move network devices, with their addresses: absent as eth0, other");
    const features = JSON.parse((await box.ok(["features"])).stdout) as { linux: { netDevices: unknown } };
    expect(features.linux.netDevices).toEqual({ enabled: true });
  });
});
