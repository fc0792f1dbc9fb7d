// What the tests of Podman under systemd share: an image whose command is systemd, root's and an ordinary user's Podman
// with tsrunc registered as README.md says, and the check that nothing is left.
import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readSnippet } from "../../clients/client.ts";
import { listCgroups } from "../../e2e/leftovers.ts";

/** Its command is `/sbin/init`; all else of it is in /usr, which is the guest's own, see {@link usr}. */
export const image = "localhost/systemd:latest";
/** Makes a container of the image whole. */
export const usr = "/usr:/usr:ro";

export interface Result {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Somebody who has containers and a service manager. */
export interface Account {
  readonly name: "root" | "tester";
  readonly home: string;
  readonly run: (...words: readonly string[]) => Result;
  /** Runs, expects status 0, and returns the output without the last newline. */
  readonly ok: (...words: readonly string[]) => string;
}

function openAccount(name: Account["name"], home: string, prefix: readonly string[]): Account {
  const run: Account["run"] = (...words) => {
    const { exitCode, stdout, stderr } = Bun.spawnSync([...prefix, ...words], {
      cwd: "/",
      stdin: "ignore",
      timeout: 60_000,
    });
    return { status: exitCode, stdout: stdout.toString(), stderr: stderr.toString() };
  };
  const ok: Account["ok"] = (...words) => {
    const { status, stdout, stderr } = run(...words);
    if (status !== 0) throw new Error(`${words.join(" ")}: status ${status}\n${stdout}${stderr}`);
    return stdout.replace(/\n$/, "");
  };
  return { name, home, run, ok };
}

const PATH = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
export const root = openAccount("root", "/root", ["env", "-i", PATH, "HOME=/root"]);
const RUNTIME_DIR = "/run/user/1000";
/** Has subordinate ids, and a service manager that lingers. */
export const tester = openAccount("tester", "/home/tester", [
  ...["runuser", "-u", "tester", "--", "env", "-i", PATH, "HOME=/home/tester"],
  ...[`XDG_RUNTIME_DIR=${RUNTIME_DIR}`, `DBUS_SESSION_BUS_ADDRESS=unix:path=${RUNTIME_DIR}/bus`],
]);

/** What an image of a system has outside of /usr, and that it is no first boot, for which systemd would do more. */
function makeSystemRoot(directory: string): void {
  for (const name of ["dev", "etc", "proc", "root", "run", "sys", "tmp", "usr", "var"])
    mkdirSync(join(directory, name), { recursive: true });
  const script = `for name in bin lib lib64 sbin; do ln -s usr/$name "$1"; done
    cp /etc/passwd /etc/group "$1/etc"
    : >"$1/etc/machine-id"
    touch --date=tomorrow "$1/etc/.updated" "$1/var/.updated"`;
  root.ok("sh", "-ec", script, "sh", directory);
}

const CONF = "/etc/containers/containers.conf";

/** Registers the set-up of a test file; the result is a folder for it, with the image's files in `root`. */
export function openPodman(): string {
  setDefaultTimeout(90_000);
  const directory = mkdtempSync("/tmp/tsrunc-podman-");
  const archive = join(directory, "root.tar");
  beforeAll(() => {
    if (existsSync(CONF)) throw new Error(`${CONF} is there already`);
    mkdirSync("/etc/containers", { recursive: true });
    writeFileSync(CONF, readSnippet(CONF));
    root.ok("chmod", "755", directory);
    makeSystemRoot(join(directory, "root"));
    root.ok("tar", "--create", "--file", archive, "--directory", join(directory, "root"), ".");
    for (const account of [root, tester])
      account.ok("podman", "import", "--quiet", "--change", 'CMD ["/sbin/init"]', archive, image);
  });
  afterEach(() => {
    const left = [root, tester].map(({ ok }) => ok("podman", "ps", "--all", "--format", "{{.Names}}"));
    if (left.join("") !== "")
      for (const { ok } of [root, tester]) ok("podman", "rm", "--all", "--force", "--time", "0");
    expect(left).toEqual(["", ""]);
    expect(listCgroups("").filter((path) => /\/libpod-(?!conmon)[^/]*$/.test(path))).toEqual([]);
  });
  afterAll(() => {
    for (const { ok } of [root, tester]) ok("podman", "rmi", image);
    rmSync(CONF);
    rmSync(directory, { recursive: true });
  });
  return directory;
}
