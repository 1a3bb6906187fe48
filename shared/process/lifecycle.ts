import { ConfigError } from './config.ts';
import { type Logger, reason } from './log.ts';

/** A process has this long after the signal (ms). Anything not closed by then is left to the other processes. */
export const stopWithinMs = 7500;

export type Closer = () => Promise<void> | void;

/**
 * What a process opens is closed in reverse order, all of it, once, under one deadline that starts with the signal.
 *
 * SIGTERM and SIGINT: stop taking work, finish what is in hand, close, exit 0. An unexpected throw that nobody caught
 * means a state nobody understands: log it and exit 1 at once; what was not settled is done again by the next process.
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
      process.exit(0);
    })();
    return stopping;
  }

  /**
   * Says why and exits with 1. What is wrong with the environment is said in one line for each fault, without a stack.
   */
  function fail(thrown: unknown): never {
    if (thrown instanceof ConfigError)
      for (const fault of thrown.faults) log.error({ event: 'config_fault', reason: fault });
    else
      log.error({ event: 'failed', reason: reason(thrown), stack: thrown instanceof Error ? thrown.stack : undefined });
    process.exit(1);
  }

  process.on('SIGTERM', () => void stop('SIGTERM'));
  process.on('SIGINT', () => void stop('SIGINT'));
  process.on('uncaughtException', fail);
  process.on('unhandledRejection', fail);

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
