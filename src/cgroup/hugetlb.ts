// The hugetlb controller: bytes for each size of page (kernel: cgroup-v1/hugetlb.rst, cgroup-v2.rst "HugeTLB").
import type { Resources } from "../spec/resources.ts";
import type { CgroupWrite } from "./types.ts";

/**
 * Limits what processes use and, where the kernel can (Linux 5.7), also what they reserve: the spec's default, since
 * a process that reserves in vain has an error then, and no SIGBUS later.
 */
export function planHugetlb(
  hierarchy: "hugetlb" | "unified",
  limits: Resources["hugepageLimits"] = [],
): readonly CgroupWrite[] {
  const suffix = hierarchy === "unified" ? "max" : "limit_in_bytes";
  return limits.flatMap(({ pageSize, limit }, i) => {
    const write = { hierarchy, value: String(limit), why: `linux.resources.hugepageLimits[${i}]` };
    return [
      { ...write, file: `hugetlb.${pageSize}.${suffix}` },
      { ...write, file: `hugetlb.${pageSize}.rsvd.${suffix}`, ifMissing: "skip" },
    ];
  });
}
