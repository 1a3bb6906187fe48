import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { openRaw, type RawDevice } from './socket.ts';
import { attacker, type Attack, call, repeat, type Stage } from './stage.ts';

/**
 * Things that one user can do too much of. Each attack once slowed all users or ended a process. The file is long
 * because it is a list: no attack knows of another.
 */

const users = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${prefix}${i}`);

/** Throws on failure: an attack without its setup would prove nothing. */
async function must(stage: Stage, token: string, method: string, path: string, body?: unknown): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const status = await call(stage, token, method, path, body);
    if (status >= 200 && status < 300) return;
    if (attempt === 50 || ![0, 409, 429, 503, 504].includes(status)) throw new Error(`${method} ${path}: ${status}`);
  }
}

async function connected(stage: Stage, device: string, mode = 'pull'): Promise<RawDevice | null> {
  return openRaw(stage.ws, { type: 'hello', token: await stage.token(attacker), device, mode });
}

/** Sends its frames on sockets until the stage is over, and opens a new socket whenever the gateway closes one. */
async function floodFrames(
  stage: Stage,
  sockets: number,
  frame: (turn: number) => object | string,
  answered: boolean,
): Promise<void> {
  await repeat(stage, sockets, async (loop) => {
    const device = await connected(stage, `device-${loop}`);
    if (device === null) {
      stage.count('refused');
      return;
    }
    device.onFrame(({ type, code }) => stage.count(type === 'error' ? String(code) : type));
    for (let turn = 0; device.isOpen && !stage.over(); turn++) {
      if (answered) await device.ask(frame(turn) as object);
      else {
        device.send(frame(turn));
        if (turn % 100 === 99) await device.drained(64 * 1024);
      }
    }
    if (!device.isOpen) stage.count(`closed ${await device.closed}`);
    device.end();
  });
}

const hugeMembers = 100_000;

export const floods: Attack[] = [
  {
    name: 'huge-groups',
    says: 'a back end creates groups of 100,000 members, one after the other, and a user creates the largest it may',
    async run(stage) {
      const token = await stage.token(attacker);
      const [huge, large] = [users('h', hugeMembers), users('l', 999)];
      await Promise.all([
        repeat(stage, 1, () => call(stage, stage.service, 'POST', '/conversations?user=mallory', { members: huge })),
        repeat(stage, 4, () => call(stage, token, 'POST', '/conversations', { members: large })),
      ]);
    },
  },
  {
    name: 'huge-group-changes',
    says: 'members of a group of 100,000 come and go eight at a time, and its member list is read in between',
    async prepare(stage) {
      await must(stage, stage.service, 'POST', '/conversations?user=mallory', {
        id: 'huge-changes',
        members: users('h', hugeMembers - 1000),
      });
    },
    async run(stage) {
      const token = await stage.token(attacker);
      await Promise.all([
        repeat(stage, 8, (loop, turn) =>
          call(
            stage,
            stage.service,
            turn % 2 === 0 ? 'PUT' : 'DELETE',
            `/conversations/huge-changes/members/new${loop}?user=mallory`,
          ),
        ),
        repeat(stage, 4, () => call(stage, token, 'GET', '/conversations/huge-changes/members?limit=1')),
      ]);
    },
  },
  {
    name: 'creations',
    says: 'a user creates groups as fast as it can, with a victim in each',
    run: async (stage) => {
      const token = await stage.token(attacker);
      await repeat(stage, 16, () => call(stage, token, 'POST', '/conversations', { members: ['friend'] }));
    },
  },
  {
    name: 'changes',
    says: 'a user adds and removes a member, and renames the group to its own name',
    async prepare(stage) {
      // Another user creates it: the attacker may have spent its budget of creations by now.
      await must(stage, await stage.token('founder'), 'POST', '/conversations', {
        id: 'changes',
        members: [attacker],
        name: 'same',
      });
    },
    async run(stage) {
      const token = await stage.token(attacker);
      await Promise.all([
        repeat(stage, 8, (loop, turn) =>
          call(stage, token, turn % 2 === 0 ? 'PUT' : 'DELETE', `/conversations/changes/members/one${loop}`),
        ),
        repeat(stage, 4, () => call(stage, token, 'PATCH', '/conversations/changes', { name: 'same' })),
      ]);
    },
  },
  {
    name: 'spans',
    says: 'a back end lets one user join and leave the same group without a pause',
    async prepare(stage) {
      await must(stage, stage.service, 'POST', '/conversations?user=mallory', { id: 'spans', members: [] });
    },
    run: (stage) =>
      repeat(stage, 1, (_, turn) =>
        call(
          stage,
          stage.service,
          turn % 2 === 0 ? 'PUT' : 'DELETE',
          '/conversations/spans/members/toggled?user=mallory',
        ),
      ),
  },
  {
    name: 'unknown-frames',
    says: 'frames of unknown types, as fast as the socket takes them',
    run: (stage) => floodFrames(stage, 2, () => ({ type: 'unheard-of' }), false),
  },
  {
    name: 'pings',
    says: 'known frames that cost little, as fast as the socket takes them',
    run: (stage) => floodFrames(stage, 2, () => ({ type: 'ping' }), false),
  },
  {
    name: 'presence',
    says: 'asks about 200 strangers at a time and watches them, on four sockets, never the same ones',
    run: (stage) =>
      floodFrames(
        stage,
        4,
        (turn) => ({
          type: 'presence',
          users: users(`${randomUUID()}-`, 200),
          watch: turn % 2 === 0,
        }),
        true,
      ),
  },
  {
    name: 'typing',
    says: 'types in its own conversation and in many that it is no member of, as fast as the socket takes it',
    async prepare(stage) {
      await must(stage, stage.service, 'POST', '/conversations?user=mallory', {
        id: 'typing-own',
        members: users('t', 40),
      });
    },
    run: (stage) =>
      floodFrames(
        stage,
        2,
        (turn) => ({ type: 'typing', conversation: turn % 2 === 0 ? 'typing-own' : `typing-${turn}` }),
        false,
      ),
  },
  {
    name: 'reads',
    says: 'history and sync on four sockets, each asked for as soon as the one before is answered',
    async prepare(stage) {
      await must(stage, await stage.token(attacker), 'POST', '/messages', {
        clientId: randomUUID(),
        to: attacker,
        kind: 'text',
        body: 1,
      });
    },
    run: (stage) =>
      floodFrames(
        stage,
        4,
        (turn) => (turn % 2 === 0 ? { type: 'history', to: attacker, limit: 100 } : { type: 'sync', after: 0 }),
        true,
      ),
  },
  {
    name: 'amends',
    says: 'edits of messages in a group that others write to, one message again and again and old ones in turn',
    group: 'amends',
    async prepare(stage) {
      await must(stage, stage.service, 'POST', '/conversations?user=mallory', {
        id: 'amends',
        members: ['innocent', 'friend', attacker],
      });
      for (let sent = 0; sent < 500; sent++) {
        await must(stage, stage.service, 'POST', '/messages', {
          clientId: randomUUID(),
          conversation: 'amends',
          sender: attacker,
          kind: 'text',
          body: sent,
        });
      }
    },
    run: (stage) =>
      floodFrames(
        stage,
        4,
        (turn) => ({
          type: 'amend',
          conversation: 'amends',
          seq: turn % 2 === 0 ? 1 : 1 + ((turn >> 1) % 500),
          action: 'edit',
          body: `${turn} ${'x'.repeat(8000)}`,
        }),
        true,
      ),
  },
  {
    name: 'gap-pages',
    says: 'pages of an inbox with 2,000 gaps, one item each, on four sockets',
    async prepare(stage) {
      const ids = users('own', 4000);
      const next = ids.values();
      await Promise.all(
        Array.from({ length: 16 }, async () => {
          for (const id of next) {
            await must(stage, stage.service, 'POST', '/conversations?user=mallory', { id, members: [] });
            await must(stage, stage.service, 'POST', '/messages', {
              clientId: id,
              conversation: id,
              sender: 'nobody',
              kind: 'text',
              body: 1,
            });
          }
        }),
      );
    },
    run: (stage) => floodFrames(stage, 4, () => ({ type: 'sync', after: 0, limit: 1 }), true),
  },
  {
    name: 'old-client-ids',
    says: 'sends with very old clientIds into a group of 15,000 messages that others write to',
    group: 'long',
    async prepare(stage) {
      await must(stage, stage.service, 'POST', '/conversations?user=mallory', {
        id: 'long',
        members: ['innocent', 'friend'],
      });
      let sent = 0;
      await Promise.all(
        Array.from({ length: 32 }, async () => {
          while (sent < 15_000) {
            sent += 1;
            await must(stage, stage.service, 'POST', '/messages', {
              clientId: randomUUID(),
              conversation: 'long',
              sender: 'nobody',
              kind: 'text',
              body: 'x'.repeat(100),
            });
          }
        }),
      );
    },
    run: (stage) => {
      let sent = 0;
      return floodFrames(
        stage,
        2,
        () => ({
          type: 'send',
          clientId: `00000001-0000-7000-8000-${String(++sent).padStart(12, '0')}`,
          conversation: 'long',
          kind: 'text',
          body: 1,
        }),
        true,
      );
    },
  },
  {
    name: 'unfinished-bodies',
    says: 'requests with large bodies that are begun and never finished, 120 at a time',
    async run(stage) {
      const token = await stage.token(attacker);
      const { hostname, port } = new URL(stage.http);
      await repeat(
        stage,
        120,
        () =>
          new Promise<void>((resolve) => {
            const socket = connect(Number(port), hostname);
            const length = 6_700_000;
            let written = 0;
            const timer = setInterval(() => {
              if (stage.over()) socket.destroy();
              else if (socket.writableLength < 256 * 1024 && written < length - 100_000) {
                written += 65_536;
                socket.write('['.padEnd(65_536, '1'));
              }
            }, 50);
            socket.on('connect', () =>
              socket.write(
                `POST /v1/conversations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n` +
                  `Content-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`,
              ),
            );
            socket.on('data', (data) => stage.count(String(data).slice(9, 12)));
            socket.on('error', () => undefined);
            socket.on('close', () => {
              clearInterval(timer);
              resolve();
            });
          }),
      );
    },
  },
];
