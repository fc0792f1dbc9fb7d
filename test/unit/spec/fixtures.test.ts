// Goes over spec-fixtures/: configs as engines write them, and bad ones with the exact error that each must give.
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { parseConfig } from "../../../src/spec/config.ts";

const ROOT = new URL("../../../spec-fixtures/", import.meta.url);

function namesIn(folder: string): string[] {
  const files = readdirSync(new URL(folder, ROOT));
  return files.filter((file) => file.endsWith(".json")).map((file) => file.slice(0, -".json".length));
}

function read(path: string): string {
  return readFileSync(new URL(path, ROOT), "utf8");
}

function errorOf(text: string): string {
  try {
    parseConfig(text);
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}

describe("good configs", () => {
  test.each(namesIn("good/"))("%s", (name) => {
    expect(errorOf(read(`good/${name}.json`))).toBe("");
  });
});

describe("bad configs", () => {
  const names = namesIn("bad/");

  test("are at least 60", () => expect(names.length).toBeGreaterThanOrEqual(60));

  test.each(names)("%s", (name) => {
    expect(errorOf(read(`bad/${name}.json`))).toBe(read(`bad/${name}.error`).trimEnd());
  });
});
