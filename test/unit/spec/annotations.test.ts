// Annotations that are read, and those that are only told about.
import { describe, expect, test } from "bun:test";
import {
  checkAnnotations,
  contextType,
  findIdleAnnotations,
  keepsGroups,
  refusesUnknownSyscalls,
  seccompReceiver,
} from "../../../src/spec/annotations.ts";

const withValue = (name: string, value: string) => ({ annotations: { [name]: value } });

test("run.oci.keep_original_groups: anything but 0, as in crun", () => {
  expect(keepsGroups({})).toBe(false);
  expect(keepsGroups(withValue("run.oci.keep_original_groups", "0"))).toBe(false);
  expect(keepsGroups(withValue("run.oci.keep_original_groups", "1"))).toBe(true);
  expect(keepsGroups(withValue("run.oci.keep_original_groups", ""))).toBe(true);
});

test("run.oci.mount_context_type", () => {
  expect(contextType({})).toBe("context");
  expect(contextType(withValue("run.oci.mount_context_type", "rootcontext"))).toBe("rootcontext");
});

test("run.oci.seccomp.receiver and run.oci.seccomp_fail_unknown_syscall", () => {
  expect(seccompReceiver({})).toBeUndefined();
  expect(seccompReceiver(withValue("run.oci.seccomp.receiver", "/a"))).toBe("/a");
  expect(refusesUnknownSyscalls({})).toBe(false);
  expect(refusesUnknownSyscalls(withValue("run.oci.seccomp_fail_unknown_syscall", "1"))).toBe(true);
});

describe("checkAnnotations", () => {
  test("accepts what is not read, and good values", () => {
    expect(checkAnnotations({ "run.oci.future": "x", "run.oci.mount_context_type": "fscontext" })).toEqual(
      [],
    );
  });
  test("refuses values that cannot be", () => {
    expect(
      checkAnnotations({ "": "", "run.oci.mount_context_type": "ctx", "run.oci.seccomp.receiver": "rel" }),
    ).toEqual([
      "must not have an empty key",
      {
        at: ["run.oci.mount_context_type"],
        message: 'must be one of context, fscontext, defcontext, rootcontext, not "ctx"',
      },
      { at: ["run.oci.seccomp.receiver"], message: 'must be an absolute path, not "rel"' },
    ]);
  });
});

test("crun's others have no effect, and it is told", () => {
  expect(findIdleAnnotations({ "run.oci.handler": "krun", other: "x" })).toEqual([
    {
      at: ["run.oci.handler"],
      message: "has no effect: containers are processes here, never virtual machines or WebAssembly",
    },
  ]);
});
