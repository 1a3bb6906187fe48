import type { Acts } from '../client/acts.ts';
import { Refusal, type ErrorCode } from '../refusal.ts';
import { ConnectionLost } from '../requests.ts';
import type { ErrorNote, Note, Told } from './channel.ts';

/**
 * Acts as commands to the tab that leads. A command that was not answered is repeated, with its id, to every next
 * leader, and one that is done once is rejected then, because its outcome is not known. A tab that leads does its own.
 */
export type Commands = {
  readonly acts: Acts;
  /** Something is not answered. */
  readonly waiting: boolean;
  /** There is another leader, which may be this tab, or there is none. */
  leaderChanged(): void;
  take(note: Told & { type: 'do' | 'done' }): void;
  /** Rejects what waits, and what comes. */
  close(): void;
};

export type CommandsOptions = {
  /** What is done when this tab leads. */
  acts: Acts;
  /** `nobody`: not known yet, or gone. */
  leader(): 'this' | 'other' | 'nobody';
  post(note: Note): void;
  /** A command waits for an answer. */
  asked(): void;
};

type Command = {
  act: keyof Acts;
  args: unknown[];
  sent: boolean;
  resolve(value: unknown): void;
  reject(error: Error): void;
};

/** Commands of a tab that are not answered. */
const waitingMost = 200;
/** Those of all other tabs that a leader works on. */
const workingMost = 1000;

const isOnce = (act: keyof Acts): boolean => act === 'ask' || act === 'tell';

const noteOf = ({ name, message, code, retryable, retryAfterMs }: Error & Partial<ErrorNote>): ErrorNote => ({
  name,
  message,
  code,
  retryable,
  retryAfterMs,
});

function errorOf(note: ErrorNote): Error {
  const { name, message, code } = note;
  if (code !== undefined) return new Refusal(code as ErrorCode, message, note as { retryable: boolean });
  return name === 'ConnectionLost' ? new ConnectionLost() : new Error(message);
}

const closed = (): Error => new Error('the client is closed');
const tooMany = (): Refusal => new Refusal('rate_limited', 'too many commands of a tab wait');

export function createCommands({ acts: own, leader, post, asked }: CommandsOptions): Commands {
  const commands = new Map<number, Command>();
  /** By tab, the ids that are worked on for it. */
  const working = new Map<string, Set<number>>();
  let count = 0;
  let turn = 0;
  let isClosed = false;

  const run = (act: keyof Acts, args: unknown[]): Promise<unknown> =>
    (own[act] as (...all: unknown[]) => Promise<unknown>)(...args);

  const settle = (id: number, how: 'resolve' | 'reject', value: unknown): void => {
    const command = commands.get(id);
    commands.delete(id);
    command?.[how](value as Error);
  };

  const start = (id: number, command: Command): void => {
    const { act, args } = command;
    const to = leader();
    if (to === 'nobody') return asked();
    command.sent = true;
    if (to === 'other') {
      post({ type: 'do', id, act, args });
      asked();
      return;
    }
    const mine = turn;
    run(act, args).then(
      (value) => settle(id, 'resolve', value),
      // What failed because this tab no longer leads is for the next leader.
      (error: unknown) => mine === turn && settle(id, 'reject', error),
    );
  };

  const call = (act: keyof Acts, args: unknown[]): Promise<unknown> => {
    const result = new Promise((resolve, reject) => {
      if (isClosed) return reject(closed());
      if (commands.size >= waitingMost) return reject(tooMany());
      const command = { act, args, sent: false, resolve, reject };
      commands.set(++count, command);
      start(count, command);
    });
    // Whoever does not look at the outcome must not be told of an unhandled rejection.
    result.catch(() => {});
    return result;
  };

  const answer = async ({ from, id, act, args }: Told & { type: 'do' }): Promise<void> => {
    const ofTab = working.get(from) ?? new Set();
    if (ofTab.has(id)) return;
    const all = [...working.values()].reduce((sum, { size }) => sum + size, 0);
    const mine = turn;
    try {
      if (ofTab.size >= waitingMost || all >= workingMost) throw tooMany();
      if (!Object.hasOwn(own, act)) throw new Error(`there is no act ${act}`);
      working.set(from, ofTab.add(id));
      const value = await run(act as keyof Acts, args);
      post({ type: 'done', id, to: from, value });
    } catch (error) {
      if (mine === turn) post({ type: 'done', id, to: from, error: noteOf(error as Error) });
    } finally {
      ofTab.delete(id);
      if (ofTab.size === 0) working.delete(from);
    }
  };

  return {
    acts: Object.fromEntries(
      Object.keys(own).map((act) => [act, (...args: unknown[]) => call(act as keyof Acts, args)]),
    ) as unknown as Acts,
    get waiting() {
      return commands.size > 0;
    },
    leaderChanged() {
      turn++;
      working.clear();
      for (const [id, command] of commands) {
        if (command.sent && isOnce(command.act)) settle(id, 'reject', new ConnectionLost());
        else start(id, command);
      }
    },
    close() {
      isClosed = true;
      for (const id of commands.keys()) settle(id, 'reject', closed());
    },
    take(note) {
      if (note.type === 'do') void answer(note);
      else if (note.error === undefined) settle(note.id, 'resolve', note.value);
      else settle(note.id, 'reject', errorOf(note.error));
    },
  };
}
