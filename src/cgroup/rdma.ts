// The rdma controller: handles and objects for each device (kernel: cgroup-v1/rdma.rst, cgroup-v2.rst "RDMA").
import type { Resources } from "../spec/resources.ts";
import type { CgroupWrite } from "./types.ts";

/** What an entry does not name stays as it is. */
export function planRdma(
  hierarchy: "rdma" | "unified",
  rdma: Resources["rdma"] = {},
): readonly CgroupWrite[] {
  return Object.entries(rdma).map(([device, { hcaHandles, hcaObjects }]) => {
    const handles = hcaHandles === undefined ? "" : ` hca_handle=${hcaHandles}`;
    const objects = hcaObjects === undefined ? "" : ` hca_object=${hcaObjects}`;
    const why = `linux.resources.rdma[${JSON.stringify(device)}]`;
    return { hierarchy, file: "rdma.max", value: `${device}${handles}${objects}`, why };
  });
}
