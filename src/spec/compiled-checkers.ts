// The schemas as plain functions. In the executable scripts/compile-schemas.ts writes this module from the schemas; here,
// for a run from source, every function says no.

/**
 * Says yes by giving what the schema gives for a document without problems. Undefined is no, or "ask the schema": it may
 * have no problem with the document either.
 */
export type Checker = (document: unknown) => unknown;

const sayNo: Checker = () => undefined;

export const checkConfig = sayNo;
export const checkProcess = sayNo;
export const checkResources = sayNo;
