// linux.netDevices: devices that cannot arrive in the container stay where they were, as they were.
import { expect, test } from "bun:test";
import { type Config, dropNamespace } from "./config.ts";
import { openSandbox } from "./harness.ts";
import { addressesOf, find, listDevices, makeDevices, ours, withDevices } from "./net-devices.ts";

const box = openSandbox("netdev-refused");
const { made, makeDevice } = makeDevices();

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
