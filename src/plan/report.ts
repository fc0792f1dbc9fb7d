// Reports of init about a batch: the other half of the format that wire.ts describes.
export const REPORT_SIZE = 24;
export const MAGIC_REPORT = 0x52525354;
export const REPORT_TYPES = ["done", "failed", "forked", "listening"] as const;

export interface ReportHeader {
  readonly type: (typeof REPORT_TYPES)[number];
  /** Index of init's step that failed or forked; the number of steps after success. */
  readonly index: number;
  /** Number of the batch that it is about. */
  readonly batch: number;
  /** errno of a failed step; pid of a fork. */
  readonly value: number;
  readonly resultCount: number;
  readonly outLength: number;
}

/** Decodes the first REPORT_SIZE bytes of a report. */
export function decodeReportHeader(bytes: Uint8Array): ReportHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, REPORT_SIZE);
  const type = REPORT_TYPES[view.getUint16(4, true)];
  if (view.getUint32(0, true) !== MAGIC_REPORT || type === undefined) throw new Error("init sent no report");
  return {
    type,
    index: view.getUint16(6, true),
    batch: view.getUint32(8, true),
    value: view.getInt32(12, true),
    resultCount: view.getUint32(16, true),
    outLength: view.getUint32(20, true),
  };
}
