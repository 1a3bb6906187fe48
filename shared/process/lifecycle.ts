import { ConfigError } from './config.ts';
import { type Logger, reason } from './log.ts';

/** Time that a process has after the signal (ms). Other processes take over anything not closed by then. */
export const stopWithinMs = 7500;

export type Closer = () => Promise<void> | void;

/** How each role of this process stops: usually it has one, on a small machine it may have all. */
const stops: ((cause: string) => Promise<void>)[] = [];

async function stopAll(cause: string): Promise<void> {
  await Promise.all(stops.map((stop) => stop(cause)));
  process.exit(0);
}

/**
 * Closes the resources of a role once, all of them, in reverse order. One deadline, from the signal on, holds for all.
 * The process ends once all its roles are closed.
 *
 * SIGTERM and SIGINT: stop taking work, finish the work in hand, close, exit 0. After an uncaught throw the state is
 * not known: log it and exit 1 at once. The next process repeats unsettled work.
 */
export function createLifecycle(log: Logger) {
  const closers: { name: string; close: Closer }[] = [];
  let stopping: Promise<void> | null = null;

  async function closeAll(): Promise<void> {
    for (const { name, close } of closers.toReversed()) {
      try {
        await close();
      } catch (thrown) {
        log.warn({ event: 'close_failed', part: name, reason: reason(thrown) });
      }
    }
  }

  function stop(cause: string): Promise<void> {
    stopping ??= (async () => {
      log.info({ event: 'stopping', cause });
      const deadline = new Promise<'late'>((resolve) => setTimeout(resolve, stopWithinMs, 'late').unref());
      const outcome = await Promise.race([closeAll().then(() => 'closed' as const), deadline]);
      log.info({ event: 'stopped', outcome });
    })();
    return stopping;
  }

  /** Logs why, and exits with 1. Faults of the environment are logged as one line each, without a stack. */
  function fail(thrown: unknown): never {
    if (thrown instanceof ConfigError)
      for (const fault of thrown.faults) log.error({ event: 'config_fault', reason: fault });
    else
      log.error({ event: 'failed', reason: reason(thrown), stack: thrown instanceof Error ? thrown.stack : undefined });
    process.exit(1);
  }

  if (stops.push(stop) === 1) {
    process.on('SIGTERM', () => void stopAll('SIGTERM'));
    process.on('SIGINT', () => void stopAll('SIGINT'));
    process.on('uncaughtException', fail);
    process.on('unhandledRejection', fail);
  }

  return {
    /** Registers a resource. It is closed before those registered earlier. */
    opened: (name: string, close: Closer): void => void closers.push({ name, close }),
    get stopping(): boolean {
      return stopping !== null;
    },
    fail,
  };
}

export type Lifecycle = ReturnType<typeof createLifecycle>;
