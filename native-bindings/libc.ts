// Declarations of the C library's functions, under their names in man(2) and man(3). Every function returns what C
// returns; `errno()` is the error of the last call. Structures are passed as buffers, laid out by the callers.
import type { KoffiFunc } from "koffi";
import { lazy, loadKoffi } from "./koffi.ts";

type Bytes = Uint8Array | null;

export interface Libc {
  readonly errno: () => number;
  // processes
  readonly posix_spawn: KoffiFunc<
    (
      pid: Uint8Array,
      path: string,
      actions: Bytes,
      attr: Bytes,
      argv: (string | null)[],
      envp: (string | null)[],
    ) => number
  >;
  readonly posix_spawn_file_actions_init: KoffiFunc<(actions: Uint8Array) => number>;
  readonly posix_spawn_file_actions_destroy: KoffiFunc<(actions: Uint8Array) => number>;
  readonly posix_spawn_file_actions_adddup2: KoffiFunc<
    (actions: Uint8Array, from: number, to: number) => number
  >;
  readonly waitid: KoffiFunc<(type: number, id: number, info: Bytes, options: number) => number>;
  readonly waitpid: KoffiFunc<(pid: number, status: Bytes, options: number) => number>;
  readonly prctl: KoffiFunc<(option: number, a: number, b: number, c: number, d: number) => number>;
  readonly prlimit64: KoffiFunc<(pid: number, resource: number, set: Bytes, old: Bytes) => number>;
  readonly kill: KoffiFunc<(pid: number, signal: number) => number>;
  readonly sigaction: KoffiFunc<(signal: number, action: Uint8Array, old: null) => number>;
  readonly bpf: (command: number, attr: Uint8Array, size: number) => number;
  readonly pidfd_open: (pid: number, flags: number) => number;
  readonly pidfd_send_signal: (pidfd: number, signal: number, info: null, flags: number) => number;
  readonly pidfd_getfd: (pidfd: number, fd: number, flags: number) => number;
  readonly seccomp: (operation: number, flags: number, args: null) => number;
  // descriptors
  readonly close: KoffiFunc<(fd: number) => number>;
  readonly read: KoffiFunc<(fd: number, buffer: Uint8Array, count: number) => number>;
  readonly write: KoffiFunc<(fd: number, buffer: Uint8Array, count: number) => number>;
  readonly pipe2: KoffiFunc<(fds: Uint8Array, flags: number) => number>;
  readonly fcntl: KoffiFunc<(fd: number, command: number, value: number) => number>;
  readonly flock: KoffiFunc<(fd: number, operation: number) => number>;
  readonly poll: KoffiFunc<(fds: Uint8Array, count: number, timeoutMs: number) => number>;
  readonly epoll_create1: KoffiFunc<(flags: number) => number>;
  readonly epoll_ctl: KoffiFunc<(epoll: number, operation: number, fd: number, event: Uint8Array) => number>;
  readonly eventfd: KoffiFunc<(initial: number, flags: number) => number>;
  readonly memfd_create: KoffiFunc<(name: string, flags: number) => number>;
  readonly ioctl: (fd: number, request: number, argument: Bytes) => number;
  // sockets
  readonly socket: KoffiFunc<(domain: number, type: number, protocol: number) => number>;
  readonly socketpair: KoffiFunc<(domain: number, type: number, protocol: number, fds: Uint8Array) => number>;
  readonly bind: KoffiFunc<(fd: number, address: Uint8Array, length: number) => number>;
  readonly listen: KoffiFunc<(fd: number, backlog: number) => number>;
  readonly connect: KoffiFunc<(fd: number, address: Uint8Array, length: number) => number>;
  readonly send: KoffiFunc<(fd: number, buffer: Uint8Array, count: number, flags: number) => number>;
  readonly recv: KoffiFunc<(fd: number, buffer: Uint8Array, count: number, flags: number) => number>;
  readonly sendmsg: KoffiFunc<(fd: number, message: Uint8Array, flags: number) => number>;
  readonly recvmsg: KoffiFunc<(fd: number, message: Uint8Array, flags: number) => number>;
  readonly setsockopt: KoffiFunc<
    (fd: number, level: number, name: number, value: Uint8Array, length: number) => number
  >;
  /** Address of a function or variable of the C library. */
  readonly symbol: (name: string) => bigint;
  /** Address of a buffer's memory, for structures that hold pointers. The buffer must outlive its use. */
  readonly address: (buffer: Uint8Array) => bigint;
}

const bindings = new Map<string, Libc>();

/** The C library's functions; koffi is loaded from `installDir` at the first call. */
export function loadLibc(installDir: string): Libc {
  const known = bindings.get(installDir);
  if (known) return known;
  const { koffi } = loadKoffi(installDir);
  const lib = koffi.load(null);
  const bind = <T extends (...args: never[]) => unknown>(definition: string): KoffiFunc<T> =>
    lazy<T>(() => lib, definition);
  const syscall2 = bind<(number: number, a: number, b: number) => number>("long syscall(long, long, long)");
  const syscall3 = bind<(number: number, a: number, b: number, c: number) => number>(
    "long syscall(long, long, long, long)",
  );
  const syscall4 = bind<(number: number, a: number, b: number, c: null, d: number) => number>(
    "long syscall(long, long, long, void *, long)",
  );
  const ioctl = bind<(fd: number, request: number, argument: Bytes) => number>(
    "int ioctl(int, ulong, void *)",
  );
  const bpf = bind<(number: number, command: number, attr: Uint8Array, size: number) => number>(
    "long syscall(long, int, void *, uint)",
  );
  const libc: Libc = {
    errno: () => koffi.errno(),
    posix_spawn: bind("int posix_spawn(void *, const char *, void *, void *, const char **, const char **)"),
    posix_spawn_file_actions_init: bind("int posix_spawn_file_actions_init(void *)"),
    posix_spawn_file_actions_destroy: bind("int posix_spawn_file_actions_destroy(void *)"),
    posix_spawn_file_actions_adddup2: bind("int posix_spawn_file_actions_adddup2(void *, int, int)"),
    waitid: bind("int waitid(int, int, void *, int)"),
    waitpid: bind("int waitpid(int, void *, int)"),
    prctl: bind("int prctl(int, ulong, ulong, ulong, ulong)"),
    prlimit64: bind("int prlimit64(int, int, void *, void *)"),
    kill: bind("int kill(int, int)"),
    sigaction: bind("int sigaction(int, const void *, void *)"),
    bpf: (command, attr, size) => bpf(process.arch === "arm64" ? 280 : 321, command, attr, size),
    pidfd_open: (pid, flags) => syscall2(434, pid, flags),
    pidfd_send_signal: (pidfd, signal, info, flags) => syscall4(424, pidfd, signal, info, flags),
    pidfd_getfd: (pidfd, fd, flags) => syscall3(438, pidfd, fd, flags),
    seccomp: (operation, flags) => syscall3(process.arch === "arm64" ? 277 : 317, operation, flags, 0),
    close: bind("int close(int)"),
    read: bind("long read(int, void *, ulong)"),
    write: bind("long write(int, const void *, ulong)"),
    pipe2: bind("int pipe2(void *, int)"),
    fcntl: bind("int fcntl(int, int, long)"),
    flock: bind("int flock(int, int)"),
    poll: bind("int poll(void *, ulong, int)"),
    epoll_create1: bind("int epoll_create1(int)"),
    epoll_ctl: bind("int epoll_ctl(int, int, int, void *)"),
    eventfd: bind("int eventfd(uint, int)"),
    memfd_create: bind("int memfd_create(const char *, uint)"),
    ioctl,
    socket: bind("int socket(int, int, int)"),
    socketpair: bind("int socketpair(int, int, int, void *)"),
    bind: bind("int bind(int, const void *, uint)"),
    listen: bind("int listen(int, int)"),
    connect: bind("int connect(int, const void *, uint)"),
    send: bind("long send(int, const void *, ulong, int)"),
    recv: bind("long recv(int, void *, ulong, int)"),
    sendmsg: bind("long sendmsg(int, const void *, int)"),
    recvmsg: bind("long recvmsg(int, void *, int)"),
    setsockopt: bind("int setsockopt(int, int, int, const void *, uint)"),
    symbol: (name) => lib.symbol(name) as bigint,
    address: (buffer) => koffi.address(buffer),
  };
  bindings.set(installDir, libc);
  return libc;
}
