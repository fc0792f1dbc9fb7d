// The text of /proc/PID/mountinfo (proc_pid_mountinfo(5)).

/** Space, tab, newline and backslash (and `#`) of a path are `\040` and the like; the rest is UTF-8 as it stands. */
export function decodeOctal(text: string): string {
  if (!text.includes("\\")) return text;
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
