import { auditInbox } from '../../sdk/src/audit/inbox.ts';
import { createClient } from '../../sdk/src/client/client.ts';
import { readItems } from '../../sdk/src/intake/read-frames.ts';
import { createLink } from '../../sdk/src/link/link.ts';
import type { Frame } from '../../sdk/src/wire.ts';
import { createFeed } from './fed-socket.ts';
import { deliverText } from './frames.ts';

/**
 * What a client does with a delivered message, beside what it takes to parse the frame: the CPU time of this process
 * for each message, without a network.
 */
export type Taker = {
  /** Takes the frames; resolves when all messages were handed out. */
  take(texts: string[]): Promise<void>;
  close(): void | Promise<void>;
};

const options = { url: 'ws://127.0.0.1', getToken: () => 'token', device: 'bench' };
/** A gateway's frames come in turns of the event loop. */
const framesInTurn = 20;

async function giveAll(texts: string[], give: (text: string) => void): Promise<void> {
  for (let at = 0; at < texts.length; at += framesInTurn) {
    for (const text of texts.slice(at, at + framesInTurn)) give(text);
    await new Promise(setImmediate);
  }
}

const parse = async (): Promise<Taker> => ({
  take: (texts) => giveAll(texts, JSON.parse),
  close: () => {},
});

async function openLink(frame: (frame: Frame) => void): Promise<Taker> {
  const feed = createFeed();
  const { promise: open, resolve } = Promise.withResolvers<void>();
  const made = createLink({ ...options, webSocket: feed.webSocket, events: { frame, open: resolve } });
  made.connect();
  await open;
  return { take: (texts) => giveAll(texts, feed.give), close: made.close };
}

const link = (): Promise<Taker> => openLink(() => {});

function audited(): Promise<Taker> {
  const fail = (found: unknown): never => {
    throw new Error(`the audit found ${JSON.stringify(found)}`);
  };
  const audit = auditInbox(fail, Date.now);
  audit.welcomed({ epoch: 'e' }, 0);
  return openLink((frame) => {
    for (const item of readItems(frame['items'], fail)) audit.item(item);
  });
}

async function client(): Promise<Taker> {
  const feed = createFeed();
  const made = createClient({ ...options, webSocket: feed.webSocket });
  let open = 0;
  let done = (): void => {};
  made.on('message', () => void (--open === 0 && done()));
  await made.connect();
  return {
    async take(texts) {
      open = texts.length;
      const taken = new Promise<void>((resolve) => (done = resolve));
      await giveAll(texts, feed.give);
      await taken;
    },
    close: made.close,
  };
}

export const takers = { parse, link, audited, client };
export type TakerName = keyof typeof takers;

/** Microseconds of CPU for a message. The first tenth warms up. */
export async function cpuOf(name: TakerName, messages: number): Promise<number> {
  const texts = Array.from({ length: messages }, (_, index) => deliverText(index + 1));
  const warmUp = texts.splice(0, messages / 10);
  const taker = await takers[name]();
  await taker.take(warmUp);
  const before = process.cpuUsage();
  await taker.take(texts);
  const { user, system } = process.cpuUsage(before);
  await taker.close();
  return (user + system) / texts.length;
}
