// Which messages of a container mean that it is up.
import { expect, test } from "bun:test";
import { saysReady } from "../../../src/host/sd-notify.ts";

test.each([
  ["READY=1", true],
  ["STATUS=up\nREADY=1\nMAINPID=1\n", true],
  ["READY=0", false],
  ["READY=10", false],
  ["XREADY=1", false],
  ["STATUS=READY=1", false],
  ["", false],
])("%j: %p", (message, isReady) => {
  expect(saysReady(message)).toBe(isReady);
});
