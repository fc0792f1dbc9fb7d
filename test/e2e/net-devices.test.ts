// linux.netDevices: devices of the host's network namespace arrive in the container; what is told of them.
import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Config, dropNamespace } from "./config.ts";
import { openSandbox } from "./harness.ts";
import {
  addressesOf,
  type Device,
  find,
  ip,
  listDevices,
  makeDevices,
  ours,
  type,
  withDevices,
} from "./net-devices.ts";

const box = openSandbox("netdev");
const { newName, makeDevice } = makeDevices();

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

ours("what is told", () => {
  test("plan shows the move, features says so", async () => {
    const bundle = box.bundle(["true"], withDevices({ absent: { name: "eth0" }, other: {} }));
    const { stdout } = await box.ok(["plan", "--bundle", bundle.directory, box.id()]);
    expect(stdout).toContain("host  move network devices, with their addresses: absent as eth0, other");
    const features = JSON.parse((await box.ok(["features"])).stdout) as { linux: { netDevices: unknown } };
    expect(features.linux.netDevices).toEqual({ enabled: true });
  });
});
