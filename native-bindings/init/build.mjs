// Builds init with gcc: freestanding C11, static, no libc, stripped.
import { execFileSync } from "node:child_process";
import { mkdirSync, statSync } from "node:fs";
import { join } from "node:path";

const COMPILERS = { x86_64: "gcc", aarch64: "aarch64-linux-gnu-gcc" };
const FLAGS = (
  "-std=gnu11 -Os -Wall -Wextra -Werror -ffreestanding -nostdlib -static -fno-pie -no-pie -fno-stack-protector " +
  "-fno-asynchronous-unwind-tables -fno-unwind-tables -fno-tree-loop-distribute-patterns -fomit-frame-pointer " +
  "-s -Wl,-z,noseparate-code -Wl,-z,noexecstack -Wl,-z,norelro -Wl,--build-id=none -Wl,--gc-sections"
).split(" ");

/** The architecture of this machine in the kernel's spelling. */
export const hostArch = process.arch === "arm64" ? "aarch64" : "x86_64";

/** Builds init for an architecture into a folder; gives the path and the size in bytes. */
export function buildInit(outDir, arch = hostArch, name = arch === hostArch ? "init" : `init-${arch}`) {
  const compiler = arch === hostArch ? "gcc" : COMPILERS[arch];
  const path = join(outDir, name);
  mkdirSync(outDir, { recursive: true });
  execFileSync(compiler, [...FLAGS, "-o", path, join(import.meta.dirname, "init.c")], { stdio: "inherit" });
  return { path, size: statSync(path).size };
}

if (import.meta.filename === process.argv[1]) {
  const outDir = process.argv[2] ?? "dist";
  const built = buildInit(outDir, process.argv[3] ?? hostArch);
  process.stdout.write(`${built.path} ${built.size} bytes\n`);
}
