import { createClientIds } from '../../../../sdk/src/outbox/client-ids.ts';
import { createOutbox, type Outbox } from '../../../../sdk/src/outbox/outbox.ts';
import type { OutboxPace } from '../../../../sdk/src/outbox/transmission.ts';
import { Refusal } from '../../../../sdk/src/refusal.ts';
import { ConnectionLost } from '../../../../sdk/src/requests.ts';
import { memory } from '../../../../sdk/src/storage/memory.ts';
import type { Storage } from '../../../../sdk/src/storage/storage.ts';
import { createWriter, type Writer } from '../../../../sdk/src/storage/writer.ts';
import { fakeClock, type FakeClock } from '../../../../sdk/src/testing/fake-clock.ts';
import type { Frame } from '../../../../sdk/src/wire.ts';

/** An outbox on a storage in memory; the test is the server, and answers what is on the wire when it likes. */

export type OnWire = {
  frame: Frame;
  accept(seq?: number, at?: number): void;
  refuse(code: string, more?: object): void;
};

export type PlayedOutbox = {
  outbox: Outbox;
  writer: Writer;
  storage: Storage;
  clock: FakeClock;
  /** Not answered yet. */
  wire: OnWire[];
  /** The bodies of everything that was ever on the wire. */
  bodies: unknown[];
  accepted: unknown[];
  focused: Set<string>;
  pace: OutboxPace;
  say(body: unknown, lane?: string, more?: object): ReturnType<Outbox['add']>;
  /** Answers and forgets the oldest on the wire. */
  next(): OnWire;
  cut(): Promise<void>;
  open(): Promise<void>;
  settle(): Promise<void>;
};

export type OutboxPlay = { storage?: Storage; features?: string[]; sendPerSecond?: number; keepAccepted?: number };

export async function playOutbox(options: OutboxPlay = {}): Promise<PlayedOutbox> {
  const storage = options.storage ?? memory();
  const clock = fakeClock();
  const wire: OnWire[] = [];
  const rejects: ((error: Error) => void)[] = [];
  const bodies: unknown[] = [];
  const accepted: unknown[] = [];
  const focused = new Set<string>();
  const pace: OutboxPace = { lanes: 16, perLane: 8, retry: { minMs: 100, maxMs: 100 }, holdLow: false };
  let seq = 0;
  const fault = (error: Error): void => {
    throw error;
  };
  const opened = { user: 'alice', device: 'phone', position: 0, epoch: 'e1', term: 0 };
  const writer = createWriter({ storage, opened: (await storage.open()) ?? opened, clock, random: () => 0, fault });
  const outbox = createOutbox({
    writer,
    persistent: () => true,
    clock,
    random: () => 0,
    newClientId: createClientIds(() => clock.now()),
    ask: (frame) =>
      new Promise((resolve, reject) => {
        bodies.push(frame['body']);
        rejects.push(reject);
        const done = (): void => void (wire.includes(one) && wire.splice(wire.indexOf(one), 1));
        const one: OnWire = {
          frame,
          accept(at = ++seq, time = clock.now()) {
            done();
            const message = { id: `${at}-0`, conversation: 'c', seq: at, at: time };
            resolve({ type: 'accepted', clientId: frame['clientId'], message });
          },
          refuse(code, more = {}) {
            done();
            reject(new Refusal(code as Refusal['code'], code, more));
          },
        };
        wire.push(one);
      }),
    has: (feature) => options.features?.includes(feature) === true,
    limits: () => ({ maxBodyBytes: 100, sendPerSecond: options.sendPerSecond ?? 0 }),
    pace: () => pace,
    isFocused: (lane) => focused.has(lane),
    accepted(entry, _, also, stored) {
      accepted.push(entry.body);
      writer.change({ run: also, stored });
    },
    changed: () => {},
    keepAccepted: options.keepAccepted ?? 1000,
    fault,
  });
  outbox.load(await storage.outbox());

  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 6; turn++) {
      await writer.flushed();
      await clock.advance(0);
    }
  };
  return {
    outbox,
    writer,
    storage,
    clock,
    wire,
    bodies,
    accepted,
    focused,
    pace,
    say: (body, lane = 'c', more = {}) => outbox.add({ type: 'send', lane, body, ...more }),
    next: () => wire[0]!,
    async cut() {
      outbox.pause();
      wire.length = 0;
      for (const reject of rejects.splice(0)) reject(new ConnectionLost());
      await settle();
    },
    async open() {
      outbox.open();
      await settle();
    },
    settle,
  };
}
