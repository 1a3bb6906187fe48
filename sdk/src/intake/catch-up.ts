import type { Clock } from '../platform/clock.ts';

/**
 * Reads what is pushed by nobody. The head of an inbox may be a position that nothing has, for example after the server
 * lost its state; a push may have been lost; or the backlog is not pushed on this connection. When nothing has come for
 * a moment, the rest is read page by page.
 */
export type CatchUp = {
  readonly running: boolean;
  /** There is more than what has come. It is read when nothing has come for `quietMs`. */
  begin(quietMs: number): void;
  /** Something came: the end may still be on its way. */
  heard(): void;
  /** The end was reached, or the connection has ended. */
  end(): void;
};

export type CatchUpOptions = {
  clock: Clock;
  /** Resolves with the answer, which comes behind everything that is on its way. */
  ping(): Promise<unknown>;
  /** Reads a page into the storage. Resolves with whether there is more. */
  readPage(): Promise<boolean>;
  reached(): void;
  fault(error: Error, where: string): void;
};

export function createCatchUp({ clock, ping, readPage, reached, fault }: CatchUpOptions): CatchUp {
  let turn = 0;
  let quietMs = 0;
  let running = false;
  let reading = false;
  /** Grows with everything that comes. */
  let heard = 0;
  let cancel = (): void => {};

  const end = (): void => {
    turn++;
    running = reading = false;
    cancel();
  };

  const read = async (mine: number): Promise<void> => {
    reading = true;
    try {
      while (mine === turn && (await readPage()));
      if (mine !== turn) return;
      end();
      reached();
    } catch (error) {
      if (mine !== turn) return;
      // The next connection tries again.
      end();
      fault(error as Error, 'sync');
    }
  };

  /** On a slow network a page may be on its way for longer: nothing came only if nothing came before the answer. */
  const probe = async (mine: number): Promise<void> => {
    const before = heard;
    await ping().catch((error: unknown) => fault(error as Error, 'sync'));
    if (mine === turn && before === heard) await read(mine);
  };

  const arm = (): void => {
    cancel();
    cancel = clock.after(quietMs, () => void (quietMs === 0 ? read(turn) : probe(turn)));
  };

  return {
    get running() {
      return running;
    },
    begin(ms) {
      end();
      running = true;
      quietMs = ms;
      arm();
    },
    heard() {
      heard++;
      if (running && !reading) arm();
    },
    end,
  };
}
