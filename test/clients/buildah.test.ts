// buildah: RUN steps and `buildah run` with isolation oci, where buildah itself drives tsrunc without conmon.
import { beforeAll, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Result, RunOptions } from "../e2e/command.ts";
import { executable } from "../e2e/harness.ts";
import { openClient } from "./client.ts";
import { image } from "./image.ts";
import { configurePodman, placeStorage, split } from "./podman.ts";

const client = openClient("buildah", configurePodman);
let storage: string[] = [];
const command = (words: string): string[] => ["buildah", ...storage, ...split(words)];
const buildah = (words: string, options?: RunOptions): Promise<Result> => client.run(command(words), options);
const ok = (words: string, options?: RunOptions): Promise<string> => client.ok(command(words), options);

const options = `--isolation oci --runtime ${resolve(executable)}`;
// Today's buildah gives root more than a host without CAP_SYS_RESOURCE may have.
const limits = "--ulimit nofile=100:200 --ulimit nproc=500:600";

beforeAll(async () => {
  storage = placeStorage(client.directory);
  await ok(`pull --quiet docker-archive:${client.archive()}`);
});

/** Makes a working container of the image, hands over its name, and removes it. */
async function withWorkingContainer(use: (name: string) => Promise<void>): Promise<void> {
  const name = await ok(`from --pull-never ${limits} ${image}`);
  try {
    await use(name);
  } finally {
    await ok(`rm ${name}`);
  }
}

test("build: RUN steps, as users, with mounts, to an image", async () => {
  const context = join(client.directory, "context");
  mkdirSync(context);
  writeFileSync(join(context, "file"), "from the context\n");
  writeFileSync(
    join(context, "Containerfile"),
    `FROM ${image}
RUN id -u >/built
COPY file /file
RUN --mount=type=bind,target=/context cat /context/file >>/built
RUN --mount=type=tmpfs,target=/scratch stat -f -c %T /scratch >>/built
USER user
WORKDIR /tmp
RUN id -un >by && pwd >>by
`,
  );
  await ok(`build ${options} ${limits} --network none --pull-never --layers --tag built ${context}`);
  const name = await ok(`from --pull-never ${limits} localhost/built`);
  const script = "cat /built /tmp/by";
  expect(await ok(`run ${options} --network none ${name} sh -c '${script}'`)).toBe(
    "0\nfrom the context\ntmpfs\nuser\n/tmp",
  );
  await ok(`rm ${name}`);
});

test("build: a RUN step that fails ends it with its status", async () => {
  const context = join(client.directory, "failing");
  mkdirSync(context);
  writeFileSync(join(context, "Containerfile"), `FROM ${image}\nRUN exit 3\n`);
  const { status, stderr } = await buildah(
    `build ${options} ${limits} --network none --pull-never ${context}`,
  );
  expect(status).toBe(3);
  expect(stderr).toContain("exit status 3");
});

test("run: output, input, exit status, user, volumes and capabilities", () =>
  withWorkingContainer(async (name) => {
    const run = `run ${options} --network none`;
    expect(
      await buildah(`${run} ${name} sh -c 'cat; echo oops >&2; exit 7'`, { stdin: "hello\n" }),
    ).toMatchObject({ status: 7, stdout: "hello\n" });
    expect(
      await ok(`${run} --user user --workingdir /tmp --env A=b ${name} sh -c 'id -un; pwd; echo $A'`),
    ).toBe("user\n/tmp\nb");
    const source = join(client.directory, "source");
    mkdirSync(source);
    writeFileSync(join(source, "file"), "shared\n");
    expect(await ok(`${run} --volume ${source}:/data:ro ${name} cat /data/file`)).toBe("shared");
    expect(await ok(`${run} --cap-drop cap_chown ${name} grep CapPrm /proc/self/status`)).toMatch(
      /[02468ace]$/,
    );
    expect(await ok(`${run} --cap-add cap_chown ${name} grep CapPrm /proc/self/status`)).toMatch(
      /[13579bdf]$/,
    );
  }));

test("run on a terminal", () =>
  withWorkingContainer(async (name) => {
    const terminal = client.onPty(command(`run ${options} --network none --tty ${name} sh`));
    terminal.write("tty; until stty size | grep '24 80'; do sleep 0.1; done; exit 5\n");
    await terminal.expect(/\/dev\/pts\/0\r/);
    await terminal.ended;
    expect(terminal.report()).toContain('"status": 5');
  }));

test("what cannot start ends as with runc", () =>
  withWorkingContainer(async (name) => {
    // runc's own log line escapes the quotes.
    for (const [program, pattern] of [
      ["nope", /exec: \\?"nope\\?": executable file not found in \$PATH/],
      ["/etc/passwd", /exec: \\?"\/etc\/passwd\\?": permission denied/],
      ["/etc", /exec: \\?"\/etc\\?": (is a directory|permission denied)/],
    ] as const) {
      const run = (runtime: string): Promise<Result> =>
        buildah(`run --isolation oci --runtime ${runtime} --network none ${name} ${program}`);
      const ours = await run(resolve(executable));
      const theirs = await run("/usr/sbin/runc");
      expect(ours.status).toBe(theirs.status);
      expect(theirs.stderr).toMatch(pattern);
      expect(ours.stderr).toMatch(pattern);
    }
  }));
