import type { Client, Conversation } from '../../sdk/src/client/api.ts';
import { isQuiet } from '../../sdk/src/intake/amended.ts';
import { Refusal } from '../../sdk/src/refusal.ts';
import { ConnectionLost } from '../../sdk/src/requests.ts';
import type { HistoryPage, Message, SeqRange, Target } from '../../sdk/src/wire.ts';
import { clock, harmless, messageLine } from './view.ts';

/** How many messages from before stand on the screen at the start. */
const shownBefore = 20;
const slowMs = 300;

export type TalkOptions = {
  client: Client;
  user: string;
  where: Target;
  /** Nothing is stored: this device has never connected before. */
  isNew: boolean;
  print(line: string): void;
  signal: AbortSignal;
};

export type Talk = {
  /** Resolves when the messages from before are on the screen. */
  readonly shown: Promise<void>;
  /** Shows messages until it is aborted. Rejects with the Refusal of a conversation that cannot be read. */
  show(): Promise<void>;
  /** Resolves with whether the server accepted it. */
  send(text: string): Promise<boolean>;
};

/** The newest messages of a conversation of which nothing is known here. Waits for a connection. */
async function readNewest(client: Client, where: Target): Promise<HistoryPage> {
  for (;;) {
    try {
      return (await client.request({ type: 'history', ...where, limit: shownBefore })) as unknown as HistoryPage;
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error;
      await new Promise<void>((resolve) => {
        const end = client.on('state', ({ synced }) => {
          if (!synced) return;
          end();
          resolve();
        });
      });
    }
  }
}

/** One conversation on the screen: what it holds, and what is typed into it. The user of the client is known. */
export function startTalk({ client, user, where, isNew, print, signal }: TalkOptions): Talk {
  const conversation: Conversation =
    where.to === undefined ? client.conversation(where.conversation) : client.direct(where.to);
  const mine = new Set<string>();
  const { id } = conversation;

  client.on('message', ({ message, live, first }) => {
    if (live && first && message.conversation !== id && !isQuiet(message)) print(messageLine(message, id));
  });
  client.on('amended', ({ message }) => print(`${messageLine(message, id)}  (changed)`));

  const { promise: shown, resolve: wasShown } = Promise.withResolvers<void>();

  /** Where the screen begins: with some that were here, or that are the newest. Then comes everything since. */
  const begin = async (): Promise<SeqRange> => {
    const stored = isNew ? undefined : client.conversations.get().find((one) => one.id === id);
    if (stored !== undefined && stored.lastSeq > 0)
      return { fromSeq: Math.max(0, stored.lastSeq - shownBefore) + 1, toSeq: stored.last?.seq ?? 0 };
    const { messages } = await readNewest(client, where);
    const seqs = messages.filter((message) => !isQuiet(message)).map(({ seq }) => seq);
    return seqs.length === 0 ? { fromSeq: 1, toSeq: 0 } : { fromSeq: Math.min(...seqs), toSeq: Math.max(...seqs) };
  };

  const show = (message: Message): void => {
    if (message.sender !== user || !mine.has(message.clientId)) print(messageLine(message, id));
  };

  return {
    shown,
    async show() {
      const { fromSeq, toSeq } = await begin();
      if (toSeq === 0) wasShown();
      conversation.open();
      for await (const message of conversation.stream({ after: fromSeq - 1, signal })) {
        show(message);
        if (message.seq >= toSeq) wasShown();
      }
    },
    async send(text) {
      const slow = setTimeout(() => print(`… sending: ${harmless(text)}`), slowMs);
      try {
        const handle = conversation.send({ text });
        mine.add(handle.clientId);
        const { seq, at } = await handle.accepted;
        print(`${clock(at)} ${user}: ${harmless(text)}  (accepted, seq ${seq})`);
        return true;
      } catch (error) {
        const code = error instanceof Refusal ? error.code : 'not sent';
        print(`! ${code}: ${(error as Error).message}: ${harmless(text)}`);
        return false;
      } finally {
        clearTimeout(slow);
      }
    },
  };
}
