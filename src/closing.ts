/**
 * Closing a Store: first what waits is done, then nothing new is let in, then everything that is
 * open through it ends, and at last the session is given back. By promise the flush is waited for
 * without blocking; at once, it blocks. Either way it happens one time.
 */
import type { Access } from "./access.ts";
import { ZeoliteError } from "./error.ts";

/** Closes when the writes that wait have been made, and are durable. */
export async function close(access: Access): Promise<void> {
  const { session } = access;
  access.explicit?.end();
  for (;;) {
    const waiting = session.waitingOf(access);
    if (waiting.length === 0) break;
    await Promise.allSettled(waiting);
  }
  if (access.isReleased) return;
  endOpen(access);
  let failure: unknown;
  try {
    await session.flusher.flush();
  } catch (error) {
    failure = error;
  }
  if (session.opens === 1) await session.checkpointer?.idle();
  release(access, failure);
}

/** Closes at once; what waits for a transaction of another Store is refused. */
export function closeSync(access: Access): void {
  if (access.isReleased) return;
  const { session } = access;
  access.explicit?.end();
  if (!access.isClosed) {
    if (session.explicit === null) session.drain();
    session.rejectWaiting(access, access.closed("write"));
    endOpen(access);
  }
  let failure: unknown;
  try {
    session.flusher.flushSync();
  } catch (error) {
    failure = error;
  }
  release(access, failure);
}

/** Throws where closing would tear a transaction apart. */
export function assertClosable(access: Access): void {
  if (access.isClosed || !access.session.isNested) return;
  throw new ZeoliteError(
    "ZEOLITE_BUSY",
    "Cannot close the store: a transaction(body), update or putMany is running; close it behind",
  );
}

/** Lets nothing new in, and ends what is open. */
function endOpen(access: Access): void {
  if (access.isClosed) return;
  access.isClosed = true;
  access.session.commitBatch(false);
  for (const held of [...access.held]) held.end();
  access.windows.detach();
}

/** Gives the session back; throws what went wrong on the way. */
function release(access: Access, failure: unknown): void {
  if (access.isReleased) return;
  access.isReleased = true;
  access.session.release(access.closed("write"));
  if (failure !== undefined) throw failure;
}
