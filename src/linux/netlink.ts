// Messages of netlink(7): headers, attributes, errors. Little endian, as both architectures are. Source of the numbers:
// the kernel's include/uapi/linux/netlink.h.

const HEADER_SIZE = 16; // struct nlmsghdr
const NLMSGERR_ATTR_MSG = 1;

/** Flags of requests; those of answers have other names for the same bits. */
export const NLM_F = { REQUEST: 1, ACK: 4, EXCL: 0x200, DUMP: 0x300, CREATE: 0x400 } as const;
export const NLM_F_DUMP_INTR = 0x10;
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;
export const NLMSG = { ERROR: 2, DONE: 3 } as const;

export type Attribute = readonly [type: number, value: Uint8Array];

/** A request without its sequence number, and how errors print it. */
export interface Request {
  readonly text: string;
  readonly isDump: boolean;
  readonly encode: (sequence: number) => Uint8Array;
}

export interface Message {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly payload: Uint8Array;
}

/** For reading and writing a message's numbers. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** An attribute of one u32. */
export function uint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  viewOf(bytes).setUint32(0, value, true);
  return bytes;
}

const align = (length: number): number => (length + 3) & ~3;

/** A whole message: header, the type's structure, attributes. */
export function encodeMessage(
  header: { readonly type: number; readonly flags: number; readonly sequence: number },
  structure: Uint8Array,
  attributes: readonly Attribute[],
): Uint8Array {
  const length = attributes.reduce(
    (sum, [, value]) => sum + align(4 + value.length),
    HEADER_SIZE + align(structure.length),
  );
  const bytes = new Uint8Array(length);
  const view = viewOf(bytes);
  view.setUint32(0, length, true);
  view.setUint16(4, header.type, true);
  view.setUint16(6, header.flags, true);
  view.setUint32(8, header.sequence, true);
  bytes.set(structure, HEADER_SIZE);
  let at = HEADER_SIZE + align(structure.length);
  for (const [type, value] of attributes) {
    view.setUint16(at, 4 + value.length, true);
    view.setUint16(at + 2, type, true);
    bytes.set(value, at + 4);
    at += align(4 + value.length);
  }
  return bytes;
}

/** The messages of one datagram. Throws RangeError if one goes beyond its end. */
export function decodeMessages(bytes: Uint8Array): Message[] {
  const messages: Message[] = [];
  const view = viewOf(bytes);
  for (let at = 0; at + HEADER_SIZE <= bytes.length; ) {
    const length = view.getUint32(at, true);
    if (length < HEADER_SIZE || at + length > bytes.length)
      throw new RangeError("a netlink message is cut off");
    messages.push({
      type: view.getUint16(at + 4, true),
      flags: view.getUint16(at + 6, true),
      sequence: view.getUint32(at + 8, true),
      payload: bytes.subarray(at + HEADER_SIZE, at + length),
    });
    at += align(length);
  }
  return messages;
}

/** The attributes from `at` on; of equal types the last. */
export function decodeAttributes(payload: Uint8Array, at: number): ReadonlyMap<number, Uint8Array> {
  const attributes = new Map<number, Uint8Array>();
  const view = viewOf(payload);
  for (let next = at; next + 4 <= payload.length; ) {
    const length = view.getUint16(next, true);
    if (length < 4 || next + length > payload.length) throw new RangeError("a netlink attribute is cut off");
    attributes.set(view.getUint16(next + 2, true) & 0x3fff, payload.subarray(next + 4, next + length));
    next += align(length);
  }
  return attributes;
}

/** Errno (0: success) of a message of type NLMSG.ERROR, and the kernel's own words if it has any. */
export function decodeError({ flags, payload }: Message): { readonly errno: number; readonly text?: string } {
  const view = viewOf(payload);
  const errno = Math.abs(view.getInt32(0, true));
  if (!(flags & NLM_F_ACK_TLVS)) return { errno };
  // The request follows whole, or only its header.
  const request = flags & NLM_F_CAPPED ? HEADER_SIZE : align(view.getUint32(4, true));
  const text = decodeAttributes(payload, 4 + request).get(NLMSGERR_ATTR_MSG);
  return text ? { errno, text: decodeText(text) } : { errno };
}

/** A text that ends with NUL, or with its attribute. */
export function decodeText(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}
