// containerd's CRI plugin in the room: what the kubelet would do, call by call (cri.py). Pods have the network of a CNI
// plugin, their cgroup below the test's, and tsrunc as their handler.
import { afterEach, beforeAll, expect } from "bun:test";
import type { ChildProcess } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Result } from "../e2e/command.ts";
import { waitFor } from "../e2e/harness.ts";
import { type Client, openClient } from "./client.ts";
import { openContainerd } from "./containerd.ts";
import { image, makePauseArchive, pauseImage } from "./image.ts";

/** What a call answers: a message of api.proto, where fields that have their default are missing. */
export type Message = ReturnType<typeof JSON.parse>;
export type Fields = Readonly<Record<string, unknown>>;

export interface Output {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Pod {
  readonly id: string;
  /** Makes a container of the image and returns its id; `fields` are ContainerConfig's. */
  readonly create: (name: string, command: readonly string[], fields?: Fields) => Promise<string>;
  /** Makes and starts one. */
  readonly run: (name: string, command: readonly string[], fields?: Fields) => Promise<string>;
  /** Runs a shell's script to its end in a container of its own; what it wrote. */
  readonly script: (script: string, fields?: Fields) => Promise<string>;
  /** The text that a container has logged: lines without their times. */
  readonly readLog: (name: string) => string;
}

export interface Cri {
  readonly client: Client;
  /** A call that must succeed. */
  readonly call: (method: string, request?: Fields) => Promise<Message>;
  readonly attempt: (method: string, request?: Fields) => Promise<Result>;
  /** `fields` are PodSandboxConfig's. */
  readonly withPod: (fields: Fields, use: (pod: Pod) => Promise<void>, handler?: string) => Promise<void>;
  readonly execute: (id: string, ...command: string[]) => Promise<Output>;
  readonly status: (id: string) => Promise<Message>;
  readonly waitForEnd: (id: string) => Promise<Message>;
  /** Ends the daemon and starts it anew. */
  readonly restart: () => Promise<void>;
}

/** The rest of containerd's configuration: what is no matter of the runtime's. */
const configure = (directory: string, snapshotter: string): string => `
[plugins."io.containerd.cri.v1.images"]
snapshotter = "${snapshotter}"

[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "${pauseImage}"

[plugins."io.containerd.cri.v1.runtime"]
# The pause container's is -998, which takes CAP_SYS_RESOURCE.
restrict_oom_score_adj = true

[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = ["/usr/lib/cni"]
conf_dir = "${join(directory, "cni")}"
`;

/** A pair of interfaces for each pod: no bridge is needed. */
const network = {
  cniVersion: "1.0.0",
  name: "pods",
  plugins: [{ type: "ptp", ipam: { type: "host-local", ranges: [[{ subnet: "10.88.0.0/24" }]] } }],
};

/** The handler of the RuntimeClass that README.md shows, by which the kubelet asks for the runtime. */
function readRuntimeClass(): string {
  const readme = readFileSync(resolve(import.meta.dirname, "../../README.md"), "utf8");
  const handler = readme.match(/^ +kind: RuntimeClass\n +metadata:\n.*\n +handler: (\S+)$/m)?.[1];
  if (handler === undefined) throw new Error("README.md shows no RuntimeClass");
  return handler;
}

const text = (base64: string | undefined): string => Buffer.from(base64 ?? "", "base64").toString();

/** Registers the daemon's start, with the images loaded, its end, and the check that each test removes its pods. */
export function openCri(name: string): Cri {
  const client = openClient(name);
  const { directory } = client;
  const containerd = openContainerd(client, (snapshotter) => configure(directory, snapshotter));
  let daemon: ChildProcess;
  let count = 0;

  const attempt: Cri["attempt"] = (method, request = {}) =>
    client.run(["python3", resolve(import.meta.dirname, "cri.py"), containerd.socket, method], {
      stdin: JSON.stringify(request),
    });
  const call: Cri["call"] = async (method, request) => {
    const { status, stdout, stderr } = await attempt(method, request);
    if (status !== 0) throw new Error(`${method}: ${stderr}`);
    return JSON.parse(stdout);
  };
  const runtime = (method: string, request?: Fields): Promise<Message> =>
    call(`RuntimeService.${method}`, request);
  const status: Cri["status"] = async (id) => (await runtime("ContainerStatus", { container_id: id })).status;
  const waitForEnd: Cri["waitForEnd"] = (id) =>
    waitFor(`the end of ${id}`, async () => {
      const now = await status(id);
      return now.state === "CONTAINER_EXITED" && now;
    });

  beforeAll(async () => {
    mkdirSync(join(directory, "cni"));
    writeFileSync(join(directory, "cni/pods.conflist"), JSON.stringify(network));
    const pause = makePauseArchive(directory);
    daemon = await containerd.start();
    for (const archive of [client.archive(), pause])
      await client.ok([
        ...containerd.ctr("--namespace k8s.io images import --snapshotter"),
        containerd.snapshotter,
        archive,
      ]);
  });
  afterEach(async () => {
    const { items = [] } = await runtime("ListPodSandbox");
    for (const { id } of items) await runtime("RemovePodSandbox", { pod_sandbox_id: id });
    expect(items).toEqual([]);
  });

  const openPod = (id: string, config: Fields, logs: string): Pod => {
    const create: Pod["create"] = async (container, command, fields = {}) => {
      const { container_id } = await runtime("CreateContainer", {
        pod_sandbox_id: id,
        sandbox_config: config,
        config: {
          metadata: { name: container },
          image: { image },
          command,
          log_path: `${container}.log`,
          linux: {},
          ...fields,
        },
      });
      return container_id;
    };
    const run: Pod["run"] = async (container, command, fields) => {
      const made = await create(container, command, fields);
      await runtime("StartContainer", { container_id: made });
      return made;
    };
    const readLog: Pod["readLog"] = (container) =>
      readFileSync(join(logs, `${container}.log`), "utf8").replaceAll(/^\S+ std(out|err) [FP] /gm, "");
    return {
      id,
      create,
      run,
      readLog,
      script: async (script, fields) => {
        count += 1;
        const container = `script-${count}`;
        await waitForEnd(await run(container, ["sh", "-c", `${script}; echo end`], fields));
        await waitFor("its log", () => readLog(container).endsWith("end\n"));
        return readLog(container).replace(/end\n$/, "");
      },
    };
  };

  return {
    client,
    call,
    attempt,
    status,
    waitForEnd,
    execute: async (id, ...command) => {
      const answer = await runtime("ExecSync", { container_id: id, cmd: command, timeout: 20 });
      return { status: answer.exit_code ?? 0, stdout: text(answer.stdout), stderr: text(answer.stderr) };
    },
    withPod: async (fields, use, handler = readRuntimeClass()) => {
      count += 1;
      const name = `pod-${count}`;
      const logs = join(directory, name);
      const { linux = {}, ...others } = fields as { linux?: Fields };
      const config = {
        metadata: { name, namespace: "default", uid: name, attempt: 0 },
        hostname: name,
        log_directory: logs,
        linux: { cgroup_parent: `${client.cgroup}/${name}`, ...linux },
        ...others,
      };
      const { pod_sandbox_id } = await runtime("RunPodSandbox", { config, runtime_handler: handler });
      try {
        await use(openPod(pod_sandbox_id, config, logs));
      } finally {
        await runtime("StopPodSandbox", { pod_sandbox_id });
        await runtime("RemovePodSandbox", { pod_sandbox_id });
      }
    },
    restart: async () => {
      const ended = new Promise((done) => daemon.once("exit", done));
      daemon.kill("SIGTERM");
      await ended;
      daemon = await containerd.start();
    },
  };
}
