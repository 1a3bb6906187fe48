import { createIntake, type Intake } from '../../../../sdk/src/intake/intake.ts';
import { memory } from '../../../../sdk/src/storage/memory.ts';
import type { Opened, Storage } from '../../../../sdk/src/storage/storage.ts';
import { createWriter, type Writer } from '../../../../sdk/src/storage/writer.ts';
import { fakeClock, type FakeClock } from '../../../../sdk/src/testing/fake-clock.ts';
import type { Frame, Message, SeqRange, Welcome } from '../../../../sdk/src/wire.ts';

/** An intake on a storage in memory. The test sends the frames, and answers for history. */

export const message = (seq: number, more: Partial<Message> = {}): Message => ({
  id: `${seq}-0`,
  conversation: 'c',
  seq,
  at: 1000 + seq,
  sender: 'bob',
  clientId: `k${seq}`,
  kind: 'text',
  body: `m${seq}`,
  class: 'normal',
  ...more,
});

export const amendment = (seq: number, target: number, body: object, more: Partial<Message> = {}): Message =>
  message(seq, { kind: 'restante.amend', body: { seq: target, ...body }, ...more });

export const item = (position: number | undefined, seq: number, more: Partial<Message> = {}) => ({
  ...(position === undefined ? {} : { position }),
  message: message(seq, more),
});

export const greeting = (more: Partial<Welcome> = {}): Welcome => ({
  user: 'alice',
  device: 'phone',
  epoch: 'e1',
  position: 0,
  head: 0,
  unread: { total: 0, conversations: [], more: false },
  features: [],
  heartbeatMs: 25_000,
  expiresAt: 0,
  limits: {} as Welcome['limits'],
  ...more,
});

export type Played = {
  intake: Intake;
  writer: Writer;
  storage: Storage;
  clock: FakeClock;
  /** What happened, in order: messages as `seq` (live) or `(seq)`, and other events. */
  log: string[];
  told: Frame[];
  asked: Frame[];
  open: Set<string>;
  /** Makes the server answer `history` with these messages and absent ranges, as it would. */
  has(messages: Message[], absent?: SeqRange[]): void;
  deliver(...items: ReturnType<typeof item>[]): Promise<void>;
  gap(position: number, fromSeq: number, toSeq: number): Promise<void>;
  settle(): Promise<void>;
};

const nobody: Opened = { user: null, device: 'phone', position: 0, epoch: null, term: 0 };

export type PlayOptions = {
  storage?: Storage;
  lazy?: boolean;
  readsBacklog?: boolean;
  insist?: (frame: Frame) => Promise<Frame>;
};

export async function playIntake(options: PlayOptions = {}): Promise<Played> {
  const storage = options.storage ?? memory();
  const clock = fakeClock();
  const log: string[] = [];
  const told: Frame[] = [];
  const asked: Frame[] = [];
  const open = new Set<string>();
  let kept: Message[] = [];
  let absent: SeqRange[] = [];
  const fault = (error: Error, where: string): void => void log.push(`fault ${where}: ${error.message}`);

  /** Pages as the server makes them: a page covers everything up to its last message. */
  const answer = (frame: Frame): Frame => {
    const { after, before, limit = 20 } = frame as unknown as { after?: number; before?: number; limit?: number };
    const rising = kept.filter(({ seq }) => seq > (after ?? 0) && seq < (before ?? Infinity));
    const page = after === undefined ? rising.toReversed().slice(0, limit) : rising.slice(0, limit);
    return { type: 'history', conversation: 'c', messages: page, more: rising.length > page.length, absent };
  };

  const writer = createWriter({
    storage,
    opened: (await storage.open()) ?? nobody,
    clock,
    random: () => 0,
    fault,
  });
  const intake = createIntake({
    writer,
    clock,
    lazy: options.lazy ?? false,
    insist: async (frame) => {
      const made = frame();
      asked.push(made);
      return options.insist?.(made) ?? answer(made);
    },
    tell: (frame) => void told.push(frame),
    target: (conversation) => ({ conversation }),
    isOpen: (id) => open.has(id),
    holdMs: () => 75,
    readsBacklog: () => options.readsBacklog ?? false,
    backlogItems: () => 40,
    historyItems: () => 50,
    unreadHere: () => ['c'],
    renew: () => void log.push('renew'),
    events: {
      message: ({ message: { seq } }, live) => log.push(live ? String(seq) : `(${seq})`),
      amended: ({ seq, body }) => log.push(`amended ${seq} ${JSON.stringify(body)}`),
      gap: ({ fromSeq, toSeq }) => log.push(`gap ${fromSeq}-${toSeq}`),
      reset: (lostSince) => log.push(`reset ${lostSince ?? ''}`.trim()),
      synced: () => log.push('synced'),
      fault,
    },
  });

  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 10; turn++) {
      await writer.flushed();
      await clock.advance(0);
    }
  };
  return {
    intake,
    writer,
    storage,
    clock,
    log,
    told,
    asked,
    open,
    has(messages, gone = []) {
      kept = messages;
      absent = gone;
    },
    async deliver(...items) {
      intake.frame({ type: 'deliver', items });
      await settle();
    },
    async gap(position, fromSeq, toSeq) {
      intake.frame({ type: 'gap', position, conversation: 'c', fromSeq, toSeq });
      await settle();
    },
    settle,
  };
}

/** As above, after a first welcome. */
export async function playWelcomed(options: PlayOptions = {}, welcome: Partial<Welcome> = {}): Promise<Played> {
  const played = await playIntake(options);
  played.intake.welcomed(greeting(welcome));
  await played.settle();
  played.log.length = 0;
  return played;
}
