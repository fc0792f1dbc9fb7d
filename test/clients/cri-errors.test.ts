// Kubernetes' way to tsrunc, containerd's CRI plugin: what the kubelet is told when a container or an exec cannot start.
import { beforeAll, describe, expect, test } from "bun:test";
import { type Fields, type Message, openCri } from "./cri.ts";

const cri = openCri("cri-errors");
const { withPod } = cri;
const sleep = ["sleep", "1000"];

describe("what cannot start is told as with runc", () => {
  const mount = (host_path: string, container_path: string): Fields => ({
    mounts: [{ host_path, container_path }],
  });
  const starts: [string, string[], Fields, RegExp][] = [
    ["a command that is not in the path", ["nope"], {}, /exec: "nope": executable file not found in \$PATH/],
    ["a path that is missing", ["/nope"], {}, /exec: "\/nope": stat \/nope: no such file or directory/],
    ["a directory", ["/etc"], {}, /exec: "\/etc": is a directory/],
    ["a file that is not executable", ["/etc/passwd"], {}, /exec: "\/etc\/passwd": permission denied/],
    ["a bad working directory", ["true"], { working_dir: "/etc/passwd" }, /\/etc\/passwd.*not a directory/],
    ["a file over a directory", ["true"], mount("/etc/hostname", "/etc"), /not a directory/],
    ["a directory over a file", ["true"], mount("/etc", "/etc/passwd"), /not a directory/],
  ];
  const execs: [string, string, RegExp][] = [
    ["an exec of what is missing", "nope", /exec: "nope": executable file not found in \$PATH/],
    ["an exec of a directory", "/etc", /exec: "\/etc": is a directory/],
    ["an exec of what is not executable", "/etc/passwd", /exec: "\/etc\/passwd": permission denied/],
  ];

  /** What the kubelet is told, by the title; all of it in one pod. */
  const tell = async (handler: string): Promise<Map<string, Message>> => {
    const told = new Map<string, Message>();
    await withPod(
      {},
      async (pod) => {
        for (const [title, command, fields] of starts) {
          const container_id = await pod.create(title.replaceAll(" ", "-"), command, fields);
          const { stderr } = await cri.attempt("RuntimeService.StartContainer", { container_id });
          const { state, exit_code, reason } = await cri.status(container_id);
          told.set(title, { stderr, state, exit_code, reason });
        }
        const container_id = await pod.run("main", sleep);
        for (const [title, command] of execs) {
          const request = { container_id, cmd: [command] };
          told.set(title, { stderr: (await cri.attempt("RuntimeService.ExecSync", request)).stderr });
        }
      },
      handler,
    );
    return told;
  };
  let answers: Map<string, Message>[] = [];
  beforeAll(async () => {
    answers = [await tell("tsrunc"), await tell("runc")];
  }, 60_000);
  const patterns: [string, RegExp][] = [
    ...starts.map(([title, , , pattern]): [string, RegExp] => [title, pattern]),
    ...execs.map(([title, , pattern]): [string, RegExp] => [title, pattern]),
  ];
  for (const [title, pattern] of patterns)
    test(title, () => {
      const [ours, theirs] = answers.map((told) => told.get(title));
      expect(theirs.stderr).toMatch(pattern);
      expect(ours.stderr).toMatch(pattern);
      const code = (words: string): string | undefined => words.match(/^[A-Z_]+:/)?.[0];
      expect({ ...ours, stderr: code(ours.stderr) }).toEqual({ ...theirs, stderr: code(theirs.stderr) });
    });
});
