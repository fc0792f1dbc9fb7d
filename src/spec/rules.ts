// Rules that the schemas cannot say: across members, and about what a value means. One row each.
import { type Found, type Rule, rule } from "./check.ts";
import type { Config } from "./config-schema.ts";
import { quote } from "./problems.ts";

export const RULES: readonly Rule[] = [
  rule("root.path", "config.md Root", (path) => (path === "" ? "must not be empty" : undefined)),
];
export function findNulBytes(config: Config): Found[] {
  void quote;
  void config;
  return [];
}
