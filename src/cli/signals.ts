// The signals of this process, for the commands that pass them on.
import type { SignalSource } from "../host/terminal.ts";

export const processSignals: SignalSource = {
  on: (name, listener) => process.on(name, listener),
  off: (name, listener) => process.off(name, listener),
  takesRealTime: true,
};
