// linux.netDevices: the host moves them, by way of a socket that init opens in the container's network namespace.
import type { PlanBuilder } from "../plan/build.ts";
import type { NumberArg } from "../plan/step.ts";
import type { Config } from "../spec/config.ts";

const AF_NETLINK: NumberArg = { kind: "number", value: 16, text: "AF_NETLINK" };
const SOCK_RAW: NumberArg = { kind: "number", value: 3 | 0o2000000, text: "SOCK_RAW|SOCK_CLOEXEC" };
const NETLINK_ROUTE: NumberArg = { kind: "number", value: 0, text: "NETLINK_ROUTE" };

/** For init in the container's network namespace. */
export function takeNetDevices(p: PlanBuilder, config: Config): void {
  const entries = Object.entries(config.linux?.netDevices ?? {});
  if (entries.length === 0) return;
  const devices = entries.map(([name, device]) => ({ name, newName: device.name ?? name }));
  p.at("linux.netDevices", "move network devices to the container", () => {
    const socket = p.call("socket", [AF_NETLINK, SOCK_RAW, NETLINK_ROUTE], { name: "netlink" });
    p.host({ do: "move-net-devices", devices, socket: socket.step });
    p.call("close", [socket]);
  });
}
