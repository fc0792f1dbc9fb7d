// Quadlet: containers, pods and Kubernetes' YAML as units of systemd, which Podman's generator makes of files.
import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { executable, waitFor } from "../../e2e/harness.ts";
import { type Account, image, openPodman, root, tester, usr } from "./podman.ts";

const directory = openPodman();

/** A process that ends well when it is told to: as pid 1 it would else ignore the signal. */
const WORK = `sh -c "trap 'exit 0' TERM; echo at work; sleep 1000 & wait"`;
/** Rootless units would wait for the system's network. */
const HEAD = `[Quadlet]
DefaultDependencies=false
`;
const container = (lines: string): string =>
  `${HEAD}[Container]\nImage=${image}\nVolume=${usr}\nNetwork=none\n${lines}\n`;

/** The line of README.md that names the runtime of one unit, with the executable under test. */
function readGlobalArgs(): string {
  const readme = readFileSync(join(import.meta.dirname, "../../../README.md"), "utf8");
  const [, line = ""] = /`(GlobalArgs=[^`]*)`/.exec(readme) ?? [];
  return line.replace("/usr/local/bin/tsrunc", executable);
}

interface Units {
  /** Writes the files and reloads the manager. */
  readonly write: (files: Readonly<Record<string, string>>) => void;
  readonly systemctl: (...words: string[]) => ReturnType<Account["run"]>;
  readonly show: (unit: string, ...properties: string[]) => Record<string, string>;
  readonly podman: (...words: string[]) => string;
  /** Lines of the unit in the journal. */
  readonly journal: (unit: string) => string;
}

function openUnits(account: Account, place: string): Units {
  const flags = account === root ? [] : ["--user"];
  const systemctl: Units["systemctl"] = (...words) => account.run("systemctl", ...flags, ...words);
  const made: string[] = [];
  const write: Units["write"] = (files) => {
    account.ok("mkdir", "-p", place);
    for (const [name, text] of Object.entries(files)) {
      writeFileSync(join(place, name), text);
      made.push(join(place, name));
    }
    account.ok("systemctl", ...flags, "daemon-reload");
  };
  const show: Units["show"] = (unit, ...properties) => {
    const lines = account.ok("systemctl", ...flags, "show", unit, "-p", properties.join(",")).split("\n");
    return Object.fromEntries(lines.map((line) => line.split(/=(.*)/s).slice(0, 2)));
  };
  afterAll(() => {
    for (const path of made) rmSync(path);
    account.ok("systemctl", ...flags, "reset-failed");
    account.ok("systemctl", ...flags, "daemon-reload");
  });
  return {
    write,
    systemctl,
    show,
    podman: (...words) => account.ok("podman", ...words),
    journal: (unit) =>
      root.ok(
        "journalctl",
        "--quiet",
        "--output=cat",
        "--boot",
        `UNIT=${unit}`,
        "+",
        `_SYSTEMD_UNIT=${unit}`,
        "+",
        `USER_UNIT=${unit}`,
        "+",
        `_SYSTEMD_USER_UNIT=${unit}`,
      ),
  };
}

const good = { status: 0, stderr: "" };
const ended = { ActiveState: "inactive", Result: "success", ExecMainStatus: "0" };
const END = ["ActiveState", "Result", "ExecMainStatus"] as const;

for (const [account, place, slice] of [
  [root, "/etc/containers/systemd", "/system.slice"],
  [
    tester,
    "/home/tester/.config/containers/systemd",
    "/user.slice/user-1000.slice/user@1000.service/app.slice",
  ],
] as const) {
  describe(account.name, () => {
    const units = openUnits(account, place);
    const pidOf = (name: string): string => units.podman("inspect", "--format", "{{.State.Pid}}", name);

    test("a container: in its unit's cgroup, with limits, a journal, restarts and an end", async () => {
      units.write({
        "work.container": `${container(`Exec=${WORK}\nPodmanArgs=--memory=64m`)}[Service]\nRestart=on-failure\nRestartSec=0\n`,
      });
      expect(units.systemctl("start", "work.service")).toMatchObject(good);
      const { MainPID = "", ...properties } = units.show(
        "work",
        "MainPID",
        "ActiveState",
        "Type",
        "ControlGroup",
      );
      expect(properties).toEqual({
        ActiveState: "active",
        Type: "notify",
        ControlGroup: `${slice}/work.service`,
      });
      expect(readFileSync(`/proc/${MainPID}/comm`, "utf8")).toBe("conmon\n");
      const [name, id] = units
        .podman("inspect", "--format", "{{.OCIRuntime}} {{.Id}}", "systemd-work")
        .split(" ");
      expect(name).toBe("tsrunc");
      const cgroup = `${slice}/work.service/libpod-payload-${id}`;
      expect(readFileSync(`/proc/${pidOf("systemd-work")}/cgroup`, "utf8")).toBe(`0::${cgroup}\n`);
      expect(readFileSync(`/sys/fs/cgroup${cgroup}/memory.max`, "utf8")).toBe(`${64 * 1024 * 1024}\n`);
      await waitFor("its output", () => units.journal("work.service").includes("at work\n"));
      expect(units.podman("exec", "systemd-work", "cat", "/proc/self/cgroup")).toBe("0::/");

      root.ok("kill", "-KILL", pidOf("systemd-work"));
      await waitFor(
        "a second container",
        () => {
          const { NRestarts, ActiveState } = units.show("work", "NRestarts", "ActiveState");
          return NRestarts === "1" && ActiveState === "active";
        },
        30_000,
      );
      expect(units.journal("work.service")).toContain("code=exited, status=137");
      expect(units.systemctl("stop", "work.service")).toMatchObject(good);
      expect(units.show("work", ...END)).toEqual(ended);
      expect(existsSync(`/sys/fs/cgroup${slice}/work.service`)).toBe(false);
    });

    test("the container itself tells that it is ready (Notify=true): a process, and a whole systemd", () => {
      const ready = `sh -c "trap 'exit 0' TERM; systemd-notify --ready --status='at work'; sleep 1000 & wait"`;
      units.write({
        "ready.container": container(`Notify=true\nExec=${ready}\n${readGlobalArgs()}`),
        "system.container": container("Notify=true"),
      });
      for (const [unit, StatusText] of [
        ["ready", "at work"],
        ["system", "Ready."],
      ] as const) {
        expect(units.systemctl("start", `${unit}.service`)).toMatchObject(good);
        expect(units.show(unit, "ActiveState", "StatusText")).toEqual({ ActiveState: "active", StatusText });
      }
      expect(units.podman("inspect", "--format", "{{.OCIRuntime}}", "systemd-ready")).toBe(executable);
      expect(units.podman("exec", "systemd-system", "systemctl", "is-system-running", "--wait")).toBe(
        "running",
      );
      expect(units.systemctl("stop", "ready.service", "system.service")).toMatchObject(good);
      for (const unit of ["ready", "system"]) expect(units.show(unit, ...END)).toEqual(ended);
    });

    test("what fails: the process's exit status, and a command that is not there, as with crun", async () => {
      units.write({
        "fail.container": container('Exec=sh -c "exit 7"'),
        "missing.container": container("Exec=nope"),
        "peer.container": container("Exec=nope\nGlobalArgs=--runtime=crun"),
      });
      expect(units.systemctl("start", "fail.service")).toMatchObject(good);
      await waitFor("its end", () => units.show("fail", "ActiveState").ActiveState === "failed", 30_000);
      expect(units.show("fail", ...END)).toEqual({
        ActiveState: "failed",
        Result: "exit-code",
        ExecMainStatus: "7",
      });
      for (const unit of ["missing", "peer"]) {
        expect(units.systemctl("start", `${unit}.service`).status).toBe(1);
        expect(units.show(unit, ...END)).toEqual({
          ActiveState: "failed",
          Result: "exit-code",
          ExecMainStatus: "127",
        });
      }
      expect(units.journal("missing.service")).toContain('"nope": executable file not found in $PATH');
    });
  });
}

test("a pod, and Kubernetes' YAML", () => {
  const units = openUnits(root, "/etc/containers/systemd");
  const command = JSON.stringify(["sh", "-c", "trap 'exit 0' TERM; sleep 1000 & wait"]);
  writeFileSync(
    join(directory, "pod.yaml"),
    `apiVersion: v1
kind: Pod
metadata: { name: kubernetes }
spec:
  containers:
  - { name: work, image: "${image}", command: ${command}, volumeMounts: [{ name: usr, mountPath: /usr, readOnly: true }] }
  volumes: [{ name: usr, hostPath: { path: /usr } }]
`,
  );
  units.write({
    "duo.pod": "[Pod]\nNetwork=none\nPodmanArgs=--hostname=podded\n",
    "member.container": container(`Exec=${WORK}\nPod=duo.pod`).replace("Network=none\n", ""),
    "kube.kube": `[Kube]\nYaml=${join(directory, "pod.yaml")}\nNetwork=none\n`,
  });
  expect(units.systemctl("start", "member.service", "kube.service")).toMatchObject(good);
  for (const unit of ["member", "duo-pod", "kube"])
    expect(units.show(unit, "ActiveState")).toEqual({ ActiveState: "active" });
  expect(units.podman("exec", "systemd-member", "hostname")).toBe("podded");
  expect(units.podman("inspect", "--format", "{{.OCIRuntime}} {{.State.Status}}", "kubernetes-work")).toBe(
    "tsrunc running",
  );
  expect(units.systemctl("stop", "member.service", "duo-pod.service", "kube.service")).toMatchObject(good);
  for (const unit of ["member", "duo-pod", "kube"])
    expect(units.show(unit, "ActiveState", "Result")).toEqual({ ActiveState: "inactive", Result: "success" });
  expect(units.podman("pod", "ps", "--quiet")).toBe("");
});
