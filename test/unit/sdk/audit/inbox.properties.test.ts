import fc from 'fast-check';
import { expect, test } from 'vitest';
import { auditInbox, type InboxAudit, type InboxViolation } from '../../../../sdk/src/audit/inbox.ts';
import type { Item } from '../../../../sdk/src/wire.ts';
import { always } from '../../../support/properties.ts';
import { message } from '../intake/played-intake.ts';

/**
 * A server that keeps its promises: an inbox of messages and gaps, pushed live or read in pages, and given again after
 * a lost connection until it is received. It may lose state: then positions begin far above, in a new epoch.
 */
type Server = { epoch: number; inbox: ({ seq: number } | 'gap')[]; base: number; sent: number; lastSeq: number };
/** A device goes on behind what it has, and says so now and then. */
type Device = {
  audit: InboxAudit;
  violations: InboxViolation[];
  got: Set<number>;
  now: number;
  epoch: number;
  position: number;
};
type Command = fc.Command<Server, Device>;

const itemOf = (position: number, seq: number, id?: string): Item => ({
  position,
  message: message(seq, id === undefined ? {} : { id }),
});

function give(server: Server, device: Device, pageAfter?: number): void {
  const entry = server.inbox[server.sent++]!;
  const position = server.base + server.sent;
  device.position = position;
  if (entry === 'gap') {
    if (pageAfter !== undefined) device.audit.gap(position, pageAfter);
    return;
  }
  expect(device.audit.item(itemOf(position, entry.seq), pageAfter)).toBe(!device.got.has(entry.seq));
  device.got.add(entry.seq);
}

function connect(server: Server, device: Device): void {
  const isReset = device.epoch !== server.epoch;
  device.epoch = server.epoch;
  if (isReset) device.position = server.base;
  device.audit.welcomed({ epoch: `e${server.epoch}`, ...(isReset ? { reset: true } : {}) }, device.position);
  server.sent = device.position - server.base;
}

const command = (name: string, run: (server: Server, device: Device) => void): Command => ({
  check: () => true,
  run(server, device) {
    run(server, device);
    expect(device.violations).toEqual([]);
  },
  toString: () => name,
});

const commands = fc.commands(
  [
    fc.constant(command('a message', (server) => server.inbox.push({ seq: ++server.lastSeq }))),
    fc.constant(command('a gap', (server) => server.inbox.push('gap'))),
    fc.constant(
      command('a push', (server, device) => {
        if (server.sent < server.inbox.length) give(server, device);
      }),
    ),
    fc.constant(
      command('a page', (server, device) => {
        const after = device.position;
        while (server.sent < server.inbox.length) give(server, device, after);
      }),
    ),
    fc.constant(command('the device confirms', (_, { audit, position }) => audit.told(position))),
    fc.nat(3000).map((ms) => command(`${ms} ms pass`, (_, device) => void (device.now += ms))),
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

test('complains of nothing that a correct server does, and takes each message once', () => {
  always(
    fc.property(commands, (some) => {
      const setup = () => {
        const violations: InboxViolation[] = [];
        const audit = auditInbox(
          (one) => violations.push(one),
          () => real.now,
        );
        const real: Device = { audit, violations, got: new Set(), now: 0, epoch: -1, position: 0 };
        const model: Server = { epoch: 0, inbox: [], base: 0, sent: 0, lastSeq: 0 };
        connect(model, real);
        return { model, real };
      };
      fc.modelRun(setup, some);
    }),
  );
});

test('finds a message that comes twice, a seq with two ids, and what was confirmed and comes again', () => {
  always(
    fc.property(fc.integer({ min: 1, max: 20 }), fc.nat(19), (count, chosen) => {
      const seq = (chosen % count) + 1;
      const found = (again: Item, afterMs: number): string[] => {
        const kinds: string[] = [];
        let now = 0;
        const audit = auditInbox(
          ({ kind }) => kinds.push(kind),
          () => now,
        );
        audit.welcomed({ epoch: 'e' }, 0);
        for (let at = 1; at <= count; at++) audit.item(itemOf(at, at));
        expect(kinds).toEqual([]);
        audit.told(count);
        now = afterMs;
        audit.item(again);
        return kinds;
      };
      expect(found(itemOf(count + 1, seq), 1000)).toEqual(['repeated']);
      expect(found(itemOf(seq, seq, 'other'), 1000)).toEqual(['regress', 'contradiction']);
      // It was on its way when the device confirmed it.
      expect(found(itemOf(seq, seq), 999)).toEqual([]);
    }),
  );
});
