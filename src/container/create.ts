// `create`: everything up to an init that waits for `start`.
import type { Context } from "../context.ts";
import { TsruncError } from "../errors.ts";
import { withNewContainer } from "./lock.ts";
import { type MakeExtras, makeContainer } from "./make.ts";
import type { Prepared } from "./prepare.ts";
import type { ContainerRecord } from "./record.ts";

export interface CreateExtras extends MakeExtras {
  /** What the caller goes on to do with the container before anybody else can; its errors undo nothing. */
  readonly whileLocked?: (record: ContainerRecord) => Promise<void>;
}

/**
 * Makes a container whose init waits for `start`. Throws TsruncError and ConfigError; after an error nothing of the
 * container is left.
 */
export async function createContainer(
  ctx: Context,
  prepared: Prepared,
  extras: CreateExtras = {},
): Promise<ContainerRecord> {
  checkConsole(prepared, extras.console);
  return withNewContainer(ctx, prepared.options.id, async () => {
    const record = await makeContainer(ctx, prepared, extras);
    await extras.whileLocked?.(record);
    return record;
  });
}

function checkConsole({ options, config }: Prepared, console: number | undefined): void {
  const { terminal } = config.process;
  if (console !== undefined) return;
  if (terminal && options.consoleSocket === undefined)
    throw new TsruncError("cannot allocate tty if tsrunc will detach without setting console socket");
  if (!terminal && options.consoleSocket !== undefined)
    throw new TsruncError("cannot use console socket if tsrunc will not detach or allocate tty");
}
