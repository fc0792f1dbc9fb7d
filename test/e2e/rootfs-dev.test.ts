// /dev as the process finds it: default and configured devices, links, and a /dev of the host's.
import { describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isPeer, openSandbox } from "./harness.ts";

const box = openSandbox("rootfs-dev");
const ours = test.skipIf(isPeer);

describe("/dev", () => {
  test("has the default devices, usable by anyone", async () => {
    const names = ["null", "zero", "full", "random", "urandom", "tty"];
    const script = `stat -c '%n %a %t:%T %u' ${names.map((n) => `/dev/${n}`).join(" ")}`;
    const expected = ["1:3", "1:5", "1:7", "1:8", "1:9", "5:0"]
      .map((n, i) => `/dev/${names[i]} 666 ${n} 0\n`)
      .join("");
    // The caller's umask must not show.
    const result = await box.look(["sh", "-c", script], undefined, {
      prefix: ["sh", "-c", 'umask 077; exec "$@"', "sh"],
    });
    expect(result.stdout).toBe(expected);
  });
  test("has the links", async () => {
    const result = await box.look([
      "sh",
      "-c",
      "for l in ptmx fd stdin stdout stderr; do readlink /dev/$l; done",
    ]);
    expect(result.stdout).toBe(
      "pts/ptmx\n/proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\n/proc/self/fd/2\n",
    );
  });
  test("gets the configured devices, with their mode and owner", async () => {
    const result = await box.look(
      ["sh", "-c", "stat -c '%F %a %t:%T %u:%g' /dev/one /dev/deep/two /dev/pipe"],
      (config) => {
        config.linux.devices = [
          { type: "c", path: "/dev/one", major: 10, minor: 229, fileMode: 0o666, uid: 5, gid: 6 },
          { type: "b", path: "/dev/deep/two", major: 7, minor: 3, fileMode: 0o600 },
          { type: "p", path: "/dev/pipe", fileMode: 0o622, uid: 0, gid: 0 },
        ];
      },
      { prefix: ["sh", "-c", 'umask 077; exec "$@"', "sh"] },
    );
    expect(result.stderr).toBe("");
    expect(result.stdout).toBe(
      "character special file 666 a:e5 5:6\nblock special file 600 7:3 0:0\nfifo 622 0:0 0:0\n",
    );
  });
  ours("major and minor numbers above 32 bits are refused or kept, never wrapped", async () => {
    const result = await box.look(["stat", "-c", "%t:%T", "/dev/big"], (config) => {
      config.linux.devices = [{ type: "c", path: "/dev/big", major: 4294967297, minor: 4294967299 }];
    });
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch(/linux\.devices\[0\]/);
  });
  test("a device outside the config's rules cannot be opened", async () => {
    const result = await box.look(["sh", "-c", "mknod /tmp/mem c 1 1 && head -c 1 /tmp/mem"], (config) => {
      config.linux.resources = {
        devices: [
          { allow: false, access: "rwm" },
          { allow: true, type: "c", access: "m" },
        ],
      };
    });
    expect(result.stderr).toMatch(/Operation not permitted/);
  });
  test("bound from the host, it is left alone", async () => {
    const source = join(box.directory, "host-dev");
    mkdirSync(source);
    writeFileSync(join(source, "ptmx"), "a file of the host");
    // runc cannot do without it.
    Bun.spawnSync(["mknod", join(source, "null"), "c", "1", "3"]);
    const result = await box.look(["ls", "/dev"], (config) => {
      config.mounts = config.mounts.filter((m) => !m.destination.startsWith("/dev"));
      config.mounts.push({ destination: "/dev", type: "bind", source, options: ["bind"] });
    });
    expect(result.stderr).toBe("");
    expect(result.stdout).toBe("null\nptmx\n");
    expect(readdirSync(source).sort()).toEqual(["null", "ptmx"]);
    expect(readFileSync(join(source, "ptmx"), "utf8")).toBe("a file of the host");
  });
  test("without a mount on it, devices are made in the image's directory", async () => {
    const result = await box.look(["sh", "-c", "ls -l /dev/null /dev/fd | wc -l"], (config) => {
      config.mounts = config.mounts.filter((m) => !m.destination.startsWith("/dev"));
    });
    expect(result.stderr).toBe("");
    expect(result.stdout).toBe("2\n");
  });
  test("the host's /dev/null keeps its owner when it is a standard stream", async () => {
    const before = statSync("/dev/null").uid;
    await box.look(["true"], (config) => {
      config.process.user = { uid: 1000, gid: 1000 };
    });
    expect(statSync("/dev/null").uid).toBe(before);
  });
});
