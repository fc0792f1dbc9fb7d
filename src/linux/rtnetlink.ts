// Messages of rtnetlink(7) about network devices and their addresses. Sources: the kernel's
// include/uapi/linux/{rtnetlink,if_link,if_addr}.h.
import {
  type Attribute,
  decodeAttributes,
  decodeText,
  encodeMessage,
  type Message,
  NLM_F,
  type Request,
  uint32,
  viewOf,
} from "./netlink.ts";

const LINK_SIZE = 16; // struct ifinfomsg
const ADDRESS_SIZE = 8; // struct ifaddrmsg
const IFLA = { IFNAME: 3, NET_NS_FD: 28, NEW_IFINDEX: 49 };
const IFF_UP = 1;
const RT_SCOPE_UNIVERSE = 0;
const IFA = { ADDRESS: 1, LOCAL: 2, BROADCAST: 4, FLAGS: 8, RT_PRIORITY: 9, PROTO: 11 };
const IFA_F_PERMANENT = 0x80;
/** Flags that whoever adds an address chooses: NODAD, HOMEADDRESS, MANAGETEMPADDR, NOPREFIXROUTE, MCAUTOJOIN. */
const IFA_F_CHOSEN = 0x02 | 0x10 | 0x100 | 0x200 | 0x400;
/** What is kept of an address. Its label has the old name of the device in it. */
const KEPT = [IFA.ADDRESS, IFA.LOCAL, IFA.BROADCAST, IFA.RT_PRIORITY, IFA.PROTO];

export const RTM = { NEWLINK: 16, GETLINK: 18, SETLINK: 19, NEWADDR: 20, GETADDR: 22 } as const;

export interface Link {
  readonly index: number;
  readonly name: string;
  readonly isUp: boolean;
}

/** An address of a device, as it was read, without what belongs to the device that it was read from. */
export interface Address {
  readonly index: number;
  readonly isPermanent: boolean;
  readonly isGlobal: boolean;
  readonly family: number;
  readonly prefixLength: number;
  readonly scope: number;
  readonly flags: number;
  readonly kept: readonly Attribute[];
}

const encodeText = (text: string): Uint8Array => new TextEncoder().encode(`${text}\0`);

function linkRequest(
  text: string,
  type: number,
  flags: number,
  link: { readonly index?: number; readonly isUp?: boolean | undefined },
  attributes: readonly Attribute[],
): Request {
  const structure = new Uint8Array(LINK_SIZE);
  const view = viewOf(structure);
  view.setInt32(4, link.index ?? 0, true);
  view.setUint32(8, link.isUp ? IFF_UP : 0, true);
  view.setUint32(12, link.isUp === undefined ? 0 : IFF_UP, true);
  return {
    text,
    isDump: (flags & NLM_F.DUMP) === NLM_F.DUMP,
    encode: (sequence) =>
      encodeMessage({ type, flags: NLM_F.REQUEST | flags, sequence }, structure, attributes),
  };
}

/** Asks for one device; ENODEV if there is none of this name. */
export function getLink(name: string): Request {
  const attributes: Attribute[] = [[IFLA.IFNAME, encodeText(name)]];
  return linkRequest(`RTM_GETLINK(${JSON.stringify(name)})`, RTM.GETLINK, NLM_F.ACK, {}, attributes);
}

/** Asks for all devices of the network namespace. */
export function listLinks(): Request {
  return linkRequest("RTM_GETLINK()", RTM.GETLINK, NLM_F.DUMP, {}, []);
}

/** Brings a device up or down. */
export function setLinkUp({ index, name }: Pick<Link, "index" | "name">, isUp: boolean): Request {
  const text = `RTM_SETLINK(${JSON.stringify(name)}, ${isUp ? "IFF_UP" : "~IFF_UP"})`;
  return linkRequest(text, RTM.SETLINK, NLM_F.ACK, { index, isUp }, []);
}

/**
 * Moves a device, which must be down, to the network namespace of a descriptor, with a new name (with `%d` in it the
 * kernel puts a number there) and a new index (Linux 5.13).
 */
export function moveLink(
  { index, name }: Pick<Link, "index" | "name">,
  to: { readonly namespace: number; readonly name: string; readonly index: number },
): Request {
  const text = `RTM_SETLINK(${JSON.stringify(name)}, IFLA_NET_NS_FD, ${JSON.stringify(to.name)})`;
  return linkRequest(text, RTM.SETLINK, NLM_F.ACK, { index }, [
    [IFLA.IFNAME, encodeText(to.name)],
    [IFLA.NET_NS_FD, uint32(to.namespace)],
    [IFLA.NEW_IFINDEX, uint32(to.index)],
  ]);
}

/** The device that a message of type RTM.NEWLINK tells of. */
export function decodeLink({ payload }: Message): Link {
  const view = viewOf(payload);
  const name = decodeAttributes(payload, LINK_SIZE).get(IFLA.IFNAME) ?? new Uint8Array();
  return {
    index: view.getInt32(4, true),
    name: decodeText(name),
    isUp: (view.getUint32(8, true) & IFF_UP) !== 0,
  };
}

/** Asks for the addresses of all devices, of every family. */
export function listAddresses(): Request {
  const header = { type: RTM.GETADDR, flags: NLM_F.REQUEST | NLM_F.DUMP };
  return {
    text: "RTM_GETADDR()",
    isDump: true,
    encode: (sequence) => encodeMessage({ ...header, sequence }, new Uint8Array(ADDRESS_SIZE), []),
  };
}

/** The address that a message of type RTM.NEWADDR tells of. */
export function decodeAddress({ payload }: Message): Address {
  const view = viewOf(payload);
  const attributes = decodeAttributes(payload, ADDRESS_SIZE);
  const wide = attributes.get(IFA.FLAGS);
  const flags = wide ? viewOf(wide).getUint32(0, true) : view.getUint8(2);
  const scope = view.getUint8(3);
  return {
    index: view.getUint32(4, true),
    isPermanent: (flags & IFA_F_PERMANENT) !== 0,
    isGlobal: scope === RT_SCOPE_UNIVERSE,
    family: view.getUint8(0),
    prefixLength: view.getUint8(1),
    scope,
    flags: flags & IFA_F_CHOSEN,
    kept: KEPT.flatMap((type) => {
      const value = attributes.get(type);
      return value ? [[type, value.slice()] as const] : [];
    }),
  };
}

/** Gives an address to a device. */
export function addAddress(address: Address, { index, name }: Pick<Link, "index" | "name">): Request {
  const structure = new Uint8Array(ADDRESS_SIZE);
  structure.set([address.family, address.prefixLength, 0, address.scope]);
  viewOf(structure).setUint32(4, index, true);
  const header = { type: RTM.NEWADDR, flags: NLM_F.REQUEST | NLM_F.ACK | NLM_F.CREATE | NLM_F.EXCL };
  const attributes: Attribute[] = [...address.kept, [IFA.FLAGS, uint32(address.flags)]];
  return {
    text: `RTM_NEWADDR(${JSON.stringify(name)}, ${formatAddress(address)})`,
    isDump: false,
    encode: (sequence) => encodeMessage({ ...header, sequence }, structure, attributes),
  };
}

/** `10.0.0.2/24`, `fd00:0:0:0:0:0:0:2/64`: for messages. */
export function formatAddress({ kept, prefixLength }: Pick<Address, "kept" | "prefixLength">): string {
  const find = (type: number): Uint8Array | undefined => kept.find(([each]) => each === type)?.[1];
  const bytes = find(IFA.LOCAL) ?? find(IFA.ADDRESS) ?? new Uint8Array();
  const view = viewOf(bytes);
  const words = Array.from({ length: bytes.length >> 1 }, (_, i) => view.getUint16(2 * i).toString(16));
  return `${bytes.length === 4 ? bytes.join(".") : words.join(":")}/${prefixLength}`;
}
