// Podman as an ordinary user, whose ids newuidmap and newgidmap map. The room's /etc is private: the user is new in it.
import { describe, expect, test } from "bun:test";
import { appendFileSync, chmodSync, chownSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { waitFor } from "../e2e/harness.ts";
import { installExecutable } from "../e2e/rootless.ts";
import { openClient } from "./client.ts";
import { image } from "./image.ts";
import { configurePodman, openPodman } from "./podman.ts";

const uid = 4242;

/** Makes the user, with a home and a runtime directory in the room. */
function addUser(directory: string): Record<string, string> {
  const home = join(directory, "home");
  appendFileSync("/etc/passwd", `tsrunc-user:x:${uid}:${uid}::${home}:/bin/sh\n`);
  appendFileSync("/etc/group", `tsrunc-user:x:${uid}:\n`);
  for (const file of ["/etc/subuid", "/etc/subgid"]) appendFileSync(file, "tsrunc-user:300000:65536\n");
  chmodSync(directory, 0o755);
  for (const name of ["home", "runtime", "graph", "run", "libpod"]) {
    mkdirSync(join(directory, name), { mode: 0o700 });
    chownSync(join(directory, name), uid, uid);
  }
  return { HOME: home, XDG_RUNTIME_DIR: join(directory, "runtime") };
}

const client = openClient("rootless", (directory) => ({
  ...addUser(directory),
  ...configurePodman(directory, installExecutable(directory)),
}));
const podman = openPodman(client, [
  "setpriv",
  ...["--reuid", String(uid), "--regid", String(uid), "--clear-groups", "--inh-caps=-all"],
]);

describe("run", () => {
  test("is root by the user's id, with the subordinate ids", async () => {
    const output = await podman.ok(`run --rm ${image} sh -c 'id -u; cat /proc/self/uid_map; touch /new'`);
    expect(output.replaceAll(/ +/g, " ")).toBe("0\n 0 4242 1\n 1 300000 65536");
  });
  test("input, standard error and exit status", async () => {
    expect(
      await podman.run(`run --rm -i ${image} sh -c 'cat; echo oops >&2; exit 7'`, { stdin: "hello\n" }),
    ).toMatchObject({ status: 7, stdout: "hello\n" });
  });
  test("--userns keep-id and --userns auto", async () => {
    expect(await podman.ok(`run --rm --userns keep-id ${image} id -u`)).toBe("4242");
    expect(
      (await podman.ok(`run --rm --userns auto:size=1000 ${image} cat /proc/self/uid_map`)).trim(),
    ).toMatch(/^0 +\d+ +1000$/);
  });
  test("volumes, tmpfs, a user of the image, and the seccomp profile", async () => {
    const host = join(client.directory, "volume");
    mkdirSync(host);
    writeFileSync(join(host, "file"), "from the host\n");
    const script =
      "id -un; cat /volume/file; touch /volume/new 2>&1; stat -f -c %T /scratch; grep Seccomp: /proc/self/status";
    expect(
      await podman.ok(
        `run --rm --user user --volume ${host}:/volume:ro --tmpfs /scratch ${image} sh -c '${script}'`,
      ),
    ).toBe("user\nfrom the host\ntouch: /volume/new: Read-only file system\ntmpfs\nSeccomp:\t2");
  });
  test("on a terminal", async () => {
    const terminal = podman.onPty(`run --rm -it ${image} sh`);
    terminal.write("tty; stty size; exit 5\n");
    await terminal.expect(/\/dev\/pts\/0\r\n24 80/);
    await terminal.ended;
    expect(terminal.report()).toContain('"status": 5');
  });
});

test("exec, logs, top, kill and rm", async () => {
  await podman.ok(`run --detach --name life ${image} sh -c 'echo up; exec sleep 1000'`);
  await waitFor("its log", async () => (await podman.ok("logs life")) === "up");
  expect(await podman.ok("exec life sh -c 'id -u; cat /proc/1/comm'")).toBe("0\nsleep");
  expect((await podman.run("exec life nope")).status).toBe(127);
  expect(await podman.ok("top life pid comm")).toMatch(/^PID\s+COMMAND\n1\s+sleep/);
  await podman.ok("kill life");
  expect(await podman.ok("wait life")).toBe("137");
  await podman.ok("rm life");
});

test("a pod of two containers", async () => {
  await podman.ok("pod create --name pod --hostname podded");
  await podman.ok(`run --detach --pod pod --name one ${image} sleep 1000`);
  expect(await podman.ok(`run --rm --pod pod ${image} hostname`)).toBe("podded");
  await podman.ok("pod rm --force --time 0 pod");
});

test("what cannot start ends as with runc", async () => {
  for (const [words, status, pattern] of [
    [`${image} nope`, 127, /"nope": executable file not found in \$PATH/],
    [`${image} /etc/passwd`, 126, /"\/etc\/passwd": permission denied/],
  ] as const)
    for (const runtime of ["tsrunc", "runc"]) {
      const result = await podman.run(`--runtime ${runtime} run --rm ${words}`);
      expect(result.stderr).toMatch(pattern);
      expect(result.status).toBe(status);
    }
});
