import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createTracker, type Tracker, type Violation } from '../../../sdk/src/tracker.ts';
import { always } from '../../support/properties.ts';

/**
 * A server that keeps its promises: an inbox of messages and gaps, pushed live or read in pages, and given again after
 * a lost connection until it is received. It may lose state: then positions begin far above, in a new epoch.
 */
type Server = {
  epoch: number;
  inbox: ({ seq: number } | 'gap')[];
  base: number;
  sent: number;
  now: number;
};
type Device = { tracker: Tracker; violations: Violation[]; got: Set<number> };
type Command = fc.Command<Server, Device>;

const itemAt = (server: Server, index: number) => {
  const { seq } = server.inbox[index] as { seq: number };
  const message = {
    conversation: 'c',
    seq,
    id: `0-${seq}`,
    sender: 'alice',
    clientId: 'x',
    kind: 'text',
    body: {},
  };
  return { position: server.base + index + 1, message } as unknown as Parameters<Tracker['item']>[0];
};

function give(server: Server, device: Device, live: boolean): void {
  const entry = server.inbox[server.sent]!;
  const position = server.base + server.sent + 1;
  if (entry === 'gap') device.tracker.gap({ position } as Parameters<Tracker['gap']>[0], live);
  else {
    const isNew = device.tracker.item(itemAt(server, server.sent), live, server.now);
    expect(isNew).toBe(!device.got.has(entry.seq));
    device.got.add(entry.seq);
  }
  server.sent += 1;
}

const command = (name: string, run: (server: Server, device: Device) => void): Command => ({
  check: () => true,
  run(server, device) {
    const { tracker, violations } = device;
    const before = { epoch: tracker.epoch, position: tracker.position };
    run(server, device);
    const isForward = tracker.epoch !== before.epoch || tracker.position >= before.position;
    const isThere = tracker.position <= server.base + server.inbox.length;
    expect({ violations, isForward, isThere }).toEqual({
      violations: [],
      isForward: true,
      isThere: true,
    });
  },
  toString: () => name,
});

function connect(server: Server, { tracker }: Device): void {
  const asked = tracker.position;
  const isReset = tracker.epoch !== undefined && tracker.epoch !== `e${server.epoch}`;
  const from = isReset ? server.base : asked;
  tracker.welcomed({ epoch: `e${server.epoch}`, position: from, ...(isReset ? { reset: true } : {}) }, asked);
  server.sent = Math.max(0, from - server.base);
}

const commands = fc.commands(
  [
    fc.constant(command('a message', (server) => server.inbox.push({ seq: seqAfter(server) }))),
    fc.constant(command('a gap', (server) => server.inbox.push('gap'))),
    fc.constant(
      command('a push', (server, device) => {
        if (server.sent < server.inbox.length) give(server, device, true);
      }),
    ),
    fc.constant(
      command('a page', (server, device) => {
        while (server.sent < server.inbox.length) give(server, device, false);
        device.tracker.pageRead(server.base + server.inbox.length);
      }),
    ),
    fc.constant(
      command('the device confirms', (server, { tracker }) => {
        const { position, due } = tracker.confirmable;
        if (due) tracker.confirmed(position, server.now);
        if (tracker.confirmable.due) throw new Error('what was confirmed is to be confirmed again');
      }),
    ),
    fc.nat(3000).map((ms) => command(`${ms} ms pass`, (server) => void (server.now += ms))),
    fc.constant(command('the connection is made again', connect)),
    // Positions jump. The last messages may come again, in their old order.
    fc.nat(3).map((again) =>
      command(`the server has lost something, ${again} come again`, (server, device) => {
        server.epoch += 1;
        server.base += server.inbox.length + 1000;
        server.inbox = again === 0 ? [] : server.inbox.filter((entry) => entry !== 'gap').slice(-again);
        connect(server, device);
      }),
    ),
  ],
  { maxCommands: 40 },
);

let lastSeq = 0;
const seqAfter = (_: Server): number => (lastSeq += 1);

test('a tracker complains of nothing that a correct server does, and takes each message once', () => {
  always(
    fc.property(commands, (some) => {
      lastSeq = 0;
      const violations: Violation[] = [];
      const tracker = createTracker({
        mode: 'push',
        violation: (one) => void violations.push(one),
      });
      const setup = () => {
        const model: Server = { epoch: 0, inbox: [], base: 0, sent: 0, now: 0 };
        const real: Device = { tracker, violations, got: new Set<number>() };
        connect(model, real);
        return { model, real };
      };
      fc.modelRun(setup, some);
    }),
  );
});

test('a tracker finds a message that comes twice, a seq with two ids, and what was confirmed and comes again', () => {
  always(
    fc.property(fc.integer({ min: 1, max: 20 }), fc.nat(19), (count, chosen) => {
      const seq = (chosen % count) + 1;
      const found = (again: { position: number; id: string }): string[] => {
        const kinds: string[] = [];
        const tracker = createTracker({
          mode: 'push',
          violation: ({ kind }) => void kinds.push(kind),
        });
        tracker.welcomed({ epoch: 'e', position: 0 }, 0);
        const item = (position: number, of: number, id: string) =>
          tracker.item({ position, message: { conversation: 'c', seq: of, id } } as never, true, 5000);
        for (let i = 1; i <= count; i++) item(i, i, `0-${i}`);
        expect(kinds).toEqual([]);
        tracker.confirmed(count, 0);
        item(again.position, seq, again.id);
        return kinds;
      };
      expect(found({ position: count + 1, id: `0-${seq}` })).toEqual(['repeated']);
      expect(found({ position: seq, id: 'other' })).toEqual(['regress', 'contradiction']);
    }),
  );
});
