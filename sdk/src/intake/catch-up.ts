import type { Clock } from '../platform/clock.ts';

/**
 * Finds the end of the backlog where pushes do not show it: the head of an inbox may be a position that nothing has,
 * for example after the server lost its state. When nothing has come for a moment, the rest is read page by page.
 */
export type CatchUp = {
  /** A connection has begun behind the head of the inbox. */
  begin(): void;
  /** Something came: the end may still be on its way. */
  heard(): void;
  /** The end was reached, or the connection has ended. */
  end(): void;
};

export type CatchUpOptions = {
  clock: Clock;
  /** Reads a page into the storage. Resolves with whether there is more. */
  readPage(): Promise<boolean>;
  reached(): void;
  fault(error: Error, where: string): void;
};

/** How long nothing must have come. */
const quietMs = 1000;

export function createCatchUp({ clock, readPage, reached, fault }: CatchUpOptions): CatchUp {
  let turn = 0;
  let running = false;
  let reading = false;
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

  const arm = (): void => {
    cancel();
    cancel = clock.after(quietMs, () => void read(turn));
  };

  return {
    begin() {
      end();
      running = true;
      arm();
    },
    heard() {
      if (running && !reading) arm();
    },
    end,
  };
}
