// struct termios of the generic ABI as TCGETS fills it. Source: ioctl_tty(2), termios(3),
// include/uapi/asm-generic/termbits.h.

/** Bytes: four words of flags, the line discipline, 19 control characters. */
export const TERMIOS_SIZE = 36;
/** struct winsize: rows, columns, two pixel sizes, 2 bytes each. */
export const WINSIZE_SIZE = 8;

export const TCGETS = 0x5401;
export const TCSETS = 0x5402;
export const TIOCGWINSZ = 0x5413;
export const TIOCSWINSZ = 0x5414;

const INPUT_FLAGS = 0;
const OUTPUT_FLAGS = 4;
const CONTROL_FLAGS = 8;
const LOCAL_FLAGS = 12;
const CONTROL_CHARACTERS = 17;
const VTIME = 5;
const VMIN = 6;

/** IGNBRK, BRKINT, PARMRK, ISTRIP, INLCR, IGNCR, ICRNL, IXON. */
const INPUT_PROCESSING = 0o1 | 0o2 | 0o10 | 0o40 | 0o100 | 0o200 | 0o400 | 0o2000;
const OPOST = 0o1;
const ONLCR = 0o4;
const CSIZE_PARENB = 0o60 | 0o400;
const CS8 = 0o60;
/** ISIG, ICANON, ECHO, ECHONL, IEXTEN. */
const LOCAL_PROCESSING = 0o1 | 0o2 | 0o10 | 0o100 | 0o100000;

/** cfmakeraw(3), but output is still processed, as runc has it: a line feed still returns the carriage. */
export function makeRaw(termios: Uint8Array): Uint8Array {
  return change(termios, (view) => {
    clear(view, INPUT_FLAGS, INPUT_PROCESSING);
    view.setUint32(OUTPUT_FLAGS, view.getUint32(OUTPUT_FLAGS, true) | OPOST, true);
    clear(view, CONTROL_FLAGS, CSIZE_PARENB);
    view.setUint32(CONTROL_FLAGS, view.getUint32(CONTROL_FLAGS, true) | CS8, true);
    clear(view, LOCAL_FLAGS, LOCAL_PROCESSING);
    view.setUint8(CONTROL_CHARACTERS + VMIN, 1);
    view.setUint8(CONTROL_CHARACTERS + VTIME, 0);
  });
}

/** Output gets no carriage returns: the terminal that it is relayed to adds them. */
export function clearOnlcr(termios: Uint8Array): Uint8Array {
  return change(termios, (view) => clear(view, OUTPUT_FLAGS, ONLCR));
}

function change(termios: Uint8Array, edit: (view: DataView) => void): Uint8Array {
  const copy = termios.slice();
  edit(new DataView(copy.buffer));
  return copy;
}

function clear(view: DataView, offset: number, bits: number): void {
  view.setUint32(offset, view.getUint32(offset, true) & ~bits, true);
}
