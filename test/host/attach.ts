// A `run -t` without a container, for terminal.test.ts: a shell script on a pty of its own, attached to the caller's
// terminal. Arguments: the script. Ends with its exit status.
import { loadLibc } from "../../native-bindings/libc.ts";
import { openConsole } from "../../src/compile/console.ts";
import { openConsolePair, receiveMaster } from "../../src/host/console.ts";
import { closeFd } from "../../src/host/fd.ts";
import { waitForExit } from "../../src/host/foreground.ts";
import { holdSignals } from "../../src/host/held-signals.ts";
import { sendAll } from "../../src/host/init-socket.ts";
import { launchInit } from "../../src/host/launch.ts";
import { openPoller } from "../../src/host/poller.ts";
import { readArchitecture } from "../../src/host/probe.ts";
import { exitStatus } from "../../src/host/process.ts";
import { closeSession, encodeSteps, openSession, runPlan } from "../../src/host/session.ts";
import { openPidfd } from "../../src/host/signal.ts";
import { attachTerminal } from "../../src/host/terminal.ts";
import { PlanBuilder } from "../../src/plan/build.ts";
import type { InitStep } from "../../src/plan/step.ts";
import { context, installDir, noHostSteps } from "../init/init.ts";
import { countDescriptors, listChildren } from "./leaks.ts";

const libc = loadLibc(installDir);
const fail = (error: unknown): never => {
  process.stderr.write(`${String(error)}\n`);
  process.exit(99);
};

async function main(script: string): Promise<number> {
  // What koffi and the engine open at their first use is not counted.
  openPoller(libc, fail).close();
  const before = countDescriptors();
  const poller = openPoller(libc, fail);
  const pair = openConsolePair(libc);
  const init = launchInit(context, { stdio: [0, 1, 2], pass: [pair.init] });
  const session = openSession(init, readArchitecture());
  const p = new PlanBuilder();
  openConsole(p, { socket: pair.init, uid: 0, bindConsole: false });
  runPlan(session, p.build(), noHostSteps);
  closeFd(libc, pair.init);
  const terminal = attachTerminal(context, receiveMaster(libc, pair.host), { poller, signals: process });
  closeFd(libc, pair.host);
  const last = new PlanBuilder();
  last.call("close_range", [3, 0xffffffff, 4]);
  const args = { kind: "strings", values: ["sh", "-c", script] } as const;
  last.call("execve", ["/bin/sh", args, { kind: "strings", values: ["PATH=/usr/bin:/bin"] }]);
  sendAll(session, encodeSteps(session, last.build().steps as InitStep[], 0).bytes);
  closeSession(session);
  const pidfd = openPidfd(libc, init.launcherPid) as number;
  const held = holdSignals(libc, process, { terminal: true });
  held.forward(pidfd, poller, fail);
  const status = await waitForExit(libc, poller, init.launcherPid, pidfd);
  await terminal.done();
  terminal.close();
  held.release();
  closeFd(libc, pidfd);
  poller.close();
  await Bun.sleep(10); // the poller's thread comes back
  if (countDescriptors() !== before || listChildren().length > 0) fail("something is left behind");
  return exitStatus(status);
}

try {
  process.exit(await main(process.argv[2] as string));
} catch (error) {
  fail(error);
}
