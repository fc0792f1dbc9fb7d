// The streams of the CRI's Exec and Attach, over a WebSocket with the subprotocol v4.channel.k8s.io, where the first
// byte of a message says which stream it is of.
import type { Message } from "./cri.ts";

export interface Stream {
  readonly write: (text: string) => void;
  readonly resize: (rows: number, columns: number) => void;
  /** Everything written so far. */
  readonly output: () => string;
  /** The Status (of Kubernetes' meta/v1) that ends an exec; undefined when the stream was closed without one. */
  readonly ended: Promise<Message | undefined>;
}

const channels = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4 } as const;

/** Connects to an address that Exec or Attach gave. */
export async function openStream(url: string): Promise<Stream> {
  const socket = new WebSocket(url.replace(/^http/, "ws"), ["v4.channel.k8s.io"]);
  socket.binaryType = "arraybuffer";
  let output = "";
  let status: Message | undefined;
  const ended = new Promise<Message | undefined>((done) => {
    socket.addEventListener("close", () => done(status));
  });
  socket.addEventListener("message", ({ data }) => {
    const bytes = Buffer.from(data as ArrayBuffer);
    const text = bytes.subarray(1).toString();
    if (bytes[0] === channels.error) status = JSON.parse(text);
    else output += text;
  });
  await new Promise<void>((done, fail) => {
    socket.addEventListener("open", () => done());
    socket.addEventListener("error", () => fail(new Error(`no stream at ${url}`)));
  });
  const send = (channel: number, text: string): void => {
    socket.send(Buffer.concat([Buffer.from([channel]), Buffer.from(text)]));
  };
  return {
    write: (text) => send(channels.stdin, text),
    resize: (rows, columns) => send(channels.resize, JSON.stringify({ Width: columns, Height: rows })),
    output: () => output,
    ended,
  };
}
