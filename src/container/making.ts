// What makes processes, in one module: its parts share most of what they import, and one chunk loads faster than forty.

export { holdEnding } from "../host/held-signals.ts";
export { createContainer } from "./create.ts";
export { execContainer } from "./exec.ts";
export { planContainer } from "./plan.ts";
export { prepareContainer } from "./prepare.ts";
export { runContainer } from "./run.ts";
