/** What init is called until it executes a program (PR_SET_NAME, at most 15 bytes). */
export const INIT_NAME = "tsrunc:[init]";
