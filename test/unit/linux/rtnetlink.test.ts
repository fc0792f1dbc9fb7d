// Netlink messages, byte for byte.
import { describe, expect, test } from "bun:test";
import {
  decodeAttributes,
  decodeError,
  decodeMessages,
  encodeMessage,
  type Message,
} from "../../../src/linux/netlink.ts";
import {
  addAddress,
  decodeAddress,
  decodeLink,
  formatAddress,
  getLink,
  listAddresses,
  listLinks,
  moveLink,
  setLinkUp,
} from "../../../src/linux/rtnetlink.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text.replaceAll(/\s/g, ""), "hex"));
const only = (data: Uint8Array): Message => {
  const [message, ...rest] = decodeMessages(data);
  expect(rest).toEqual([]);
  return message as Message;
};

describe("requests", () => {
  test("a device by its name", () => {
    // length 40, RTM_GETLINK, REQUEST|ACK, sequence 7; ifinfomsg; IFLA_IFNAME "eth0\0", padded
    expect(hex(getLink("eth0").encode(7))).toBe(
      "2c000000" +
        "1200" +
        "0500" +
        "07000000" +
        "00000000" +
        "00".repeat(16) +
        "0900" +
        "0300" +
        "6574683000" +
        "000000",
    );
  });

  test("lists", () => {
    expect(hex(listLinks().encode(1))).toBe(`20000000120001030100000000000000${"00".repeat(16)}`);
    expect(hex(listAddresses().encode(2))).toBe(`18000000160001030200000000000000${"00".repeat(8)}`);
    expect([listLinks().isDump, listAddresses().isDump, getLink("a").isDump]).toEqual([true, true, false]);
  });

  test("up and down: the flag, and that it is the one to change", () => {
    const link = { index: 0x0102, name: "eth0" };
    const structure = (data: Uint8Array): string => hex(data.subarray(16));
    expect(structure(setLinkUp(link, true).encode(1))).toBe(
      "00000000" + "02010000" + "01000000" + "01000000",
    );
    expect(structure(setLinkUp(link, false).encode(1))).toBe(
      "00000000" + "02010000" + "00000000" + "01000000",
    );
  });

  test("a move: name, namespace and index, and no flag", () => {
    const request = moveLink({ index: 5, name: "eth0" }, { namespace: 9, name: "a%d", index: 70000 });
    const message = only(request.encode(3));
    expect(message).toMatchObject({ type: 19, flags: 5, sequence: 3 });
    expect(hex(message.payload.subarray(0, 16))).toBe("00000000" + "05000000" + "00000000" + "00000000");
    const attributes = [...decodeAttributes(message.payload, 16)].map(([type, value]) => [type, hex(value)]);
    expect(attributes).toEqual([
      [3, "61256400"],
      [28, "09000000"],
      [49, "70110100"],
    ]);
    expect(request.text).toBe('RTM_SETLINK("eth0", IFLA_NET_NS_FD, "a%d")');
  });
});

describe("answers", () => {
  test("a device", () => {
    const structure = bytes("00 00 0100 07000000 43100000 00000000");
    const data = encodeMessage({ type: 16, flags: 0, sequence: 1 }, structure, [
      [3, bytes("76657468300000")],
    ]);
    expect(decodeLink(only(data))).toEqual({ index: 7, name: "veth0", isUp: true });
  });

  test("an address comes back as it was, without label and with the flags that were chosen", () => {
    // 10.1.2.3/24, permanent and without a prefix route, scope global, of device 4
    const attributes = [
      [1, bytes("0a010203")],
      [2, bytes("0a010203")],
      [4, bytes("0a0102ff")],
      [3, bytes("6574683000")],
      [8, bytes("80020000")],
    ] as const;
    const data = encodeMessage(
      { type: 20, flags: 2, sequence: 1 },
      bytes("02 18 80 00 04000000"),
      attributes,
    );
    const address = decodeAddress(only(data));
    expect(address).toMatchObject({
      index: 4,
      isPermanent: true,
      isGlobal: true,
      prefixLength: 24,
      flags: 0x200,
    });
    expect(formatAddress(address)).toBe("10.1.2.3/24");
    const added = only(addAddress(address, { index: 9, name: "eth1" }).encode(5));
    expect(added).toMatchObject({ type: 20, flags: 0x605 });
    expect(hex(added.payload.subarray(0, 8))).toBe("0218000009000000");
    const kept = [...decodeAttributes(added.payload, 8)].map(([type, value]) => [type, hex(value)]);
    expect(kept).toEqual([
      [1, "0a010203"],
      [2, "0a010203"],
      [4, "0a0102ff"],
      [8, "00020000"],
    ]);
  });

  test("an address of the link, and one that is not permanent", () => {
    const read = (structure: string) =>
      decodeAddress(
        only(
          encodeMessage({ type: 20, flags: 0, sequence: 1 }, bytes(structure), [
            [1, bytes("fd000000000000000000000000000002")],
          ]),
        ),
      );
    expect(read("0a 40 80 fd 01000000")).toMatchObject({ isPermanent: true, isGlobal: false });
    expect(read("0a 40 00 00 01000000")).toMatchObject({ isPermanent: false, isGlobal: true });
    expect(formatAddress(read("0a 40 80 00 01000000"))).toBe("fd00:0:0:0:0:0:0:2/64");
  });

  test("an error with the kernel's words, after the whole request and after its header", () => {
    const request = getLink("nope").encode(1);
    const tlv = bytes("0800 0100 6e6f2100");
    const capped = new Uint8Array([...bytes("edffffff"), ...request.subarray(0, 16), ...tlv]);
    const whole = new Uint8Array([...bytes("edffffff"), ...request, ...tlv]);
    const message = { type: 2, sequence: 1 };
    expect(decodeError({ ...message, flags: 0x300, payload: capped })).toEqual({ errno: 19, text: "no!" });
    expect(decodeError({ ...message, flags: 0x200, payload: whole })).toEqual({ errno: 19, text: "no!" });
    expect(decodeError({ ...message, flags: 0x100, payload: capped.subarray(0, 20) })).toEqual({ errno: 19 });
    expect(decodeError({ ...message, flags: 0, payload: new Uint8Array(20) })).toEqual({ errno: 0 });
  });

  test("several messages in one datagram, and cut ones", () => {
    const two = new Uint8Array([...getLink("a").encode(1), ...listLinks().encode(2)]);
    expect(decodeMessages(two).map(({ sequence }) => sequence)).toEqual([1, 2]);
    expect(() => decodeMessages(two.subarray(0, two.length - 1))).toThrow(RangeError);
    expect(() => decodeMessages(new Uint8Array(16))).toThrow(RangeError);
    expect(() => decodeAttributes(bytes("ff00 0100"), 0)).toThrow(RangeError);
    expect(() => decodeAttributes(bytes("0000 0100"), 0)).toThrow(RangeError);
  });
});
