import { setTimeout as pause } from 'node:timers/promises';
import pLimit from 'p-limit';
import type { RecordedHttp } from './clients/http.ts';
import { openSocket, type Frame, type RecordedSocket } from './clients/socket.ts';
import type { Recording } from './recording.ts';

/**
 * Reads the final state of a run into its recording, by clients that took no part: every conversation as a service sees
 * it, and the list, the inbox and every conversation as each of its users sees them. It compares nothing.
 */
export type DumpParts = {
  urls(): readonly string[];
  token(user: string | null): string | Promise<string>;
  http: RecordedHttp;
  recording: Recording;
  users: readonly string[];
  /** Each conversation with everybody who may ever have been a member. */
  conversations: ReadonlyMap<string, ReadonlySet<string>>;
  withinMs: number;
};

const answerWithinMs = 10_000;
const atOnce = 6;
const comeBackMs = 200;

class Incomplete extends Error {}

export async function dump(parts: DumpParts): Promise<void> {
  const { http, recording, users, conversations } = parts;
  const until = performance.now() + parts.withinMs;

  async function get<T>(user: string | null, path: string): Promise<T | null> {
    const answer = await http.insist(user, 'GET', path, undefined, until);
    if (answer === null) throw new Incomplete(`GET ${path} has no answer`);
    if (answer.status === 404) return null;
    if (answer.status !== 200) throw new Incomplete(`GET ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body as T;
  }

  /** Every message, oldest first. */
  async function readHistory(conversation: string): Promise<void> {
    for (let after = 0; ;) {
      const path = `/conversations/${conversation}/messages?after=${after}&limit=100`;
      const page = await get<{ messages: { seq: number }[]; more: boolean }>(null, path);
      if (page === null || !page.more || page.messages.length === 0) return;
      after = page.messages.at(-1)!.seq;
    }
  }

  async function readList(user: string): Promise<void> {
    for (let next: string | undefined = ''; next !== undefined;) {
      const after: string = next === '' ? '' : `&after=${next}`;
      next = (await get<{ next?: string }>(user, `/conversations?limit=100${after}`))?.next;
    }
  }

  async function readInbox(user: string): Promise<void> {
    let query = '';
    for (;;) {
      const page: { next: number; more: boolean; epoch: string } | null = await get(user, `/inbox?limit=200${query}`);
      if (page === null || !page.more) return;
      query = `&after=${page.next}&epoch=${page.epoch}`;
    }
  }

  /** What a new device of this user sees. */
  async function readAsDevice(user: string): Promise<void> {
    for (let attempt = 1; performance.now() < until; attempt++) {
      const socket = await greet(parts, user, attempt);
      if (socket === null) {
        await pause(comeBackMs);
        continue;
      }
      try {
        for (const [conversation, members] of conversations)
          if (members.has(user)) await readBySocket(socket, conversation);
        return;
      } catch (error) {
        if (!(error instanceof Incomplete)) throw error;
      } finally {
        socket.close();
      }
    }
    throw new Incomplete(`${user} could not read its conversations`);
  }

  async function readBySocket(socket: RecordedSocket, conversation: string): Promise<void> {
    for (let before: number | undefined; ;) {
      const bound: object = before === undefined ? {} : { before };
      const answer: Frame | null = await socket.ask(
        { type: 'history', conversation, limit: 100, ...bound },
        answerWithinMs,
      );
      if (answer === null) throw new Incomplete('the socket ended');
      if (answer.type === 'error') {
        if (answer['code'] === 'not_found') return;
        throw new Incomplete(`history of ${conversation}: ${JSON.stringify(answer)}`);
      }
      const { messages, more } = answer as unknown as { messages: { seq: number }[]; more: boolean };
      if (!more || messages.length === 0) return;
      before = messages.at(-1)!.seq;
    }
  }

  recording.note({ type: 'dump-begun' });
  try {
    const limit = pLimit(atOnce);
    const each = <T>(of: Iterable<T>, read: (one: T) => Promise<void>): Promise<void>[] =>
      [...of].map((one) => limit(() => read(one)));
    await Promise.all([
      ...each(conversations.keys(), readHistory),
      ...each(users, readList),
      ...each(users, readInbox),
      ...each(users, readAsDevice),
    ]);
    recording.note({ type: 'dump-ended', complete: true });
  } catch (error) {
    recording.note({ type: 'dump-ended', complete: false, why: (error as Error).message });
  }
}

/** A new device, which is pushed nothing; null if it was not welcomed. */
async function greet(
  { urls, token, recording }: DumpParts,
  user: string,
  connection: number,
): Promise<RecordedSocket | null> {
  const bearer = await token(user);
  const url = urls()[connection % urls().length]!;
  return new Promise((resolve) => {
    const socket: RecordedSocket = openSocket({
      url,
      client: { user, device: 'fresh', connection },
      recording,
      onOpen() {
        void socket
          .ask({ type: 'hello', token: bearer, device: 'fresh', mode: 'pull' }, answerWithinMs)
          .then((answer) => {
            if (answer?.type === 'welcome') resolve(socket);
            else socket.close();
          });
      },
      onFrame: () => undefined,
      onEnd: () => resolve(null),
    });
  });
}
