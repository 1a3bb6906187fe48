import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { Binary, MongoClient } from 'mongodb';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { openMongoStore } from '../../shared/history/mongo/store.ts';
import { mongoServer, withDatabase } from '../support/mongo-server.ts';
import { historyStoreCases } from './history-store.cases.ts';
import { deployment } from './history-store/rows.ts';

const server = await mongoServer();

if ('skipped' in server) {
  console.log(`MongoDB rows: skipped, ${server.skipped}`);
  test('history store: MongoDB', ({ skip }) => skip(server.skipped));
} else {
  console.log(`MongoDB rows: ${server.name}`);
  afterAll(() => server.stop());

  const drop = async (url: string): Promise<void> => {
    const client = new MongoClient(url);
    await client.db().dropDatabase();
    await client.close();
  };

  const freshUrl = (): string => withDatabase(server.url, `restante_${randomBytes(6).toString('hex')}`);

  historyStoreCases(`MongoDB on ${server.name}`, async () => {
    const url = freshUrl();
    return { open: () => openMongoStore(url), remove: () => drop(url) };
  });

  describe(`MongoDB store on ${server.name}`, () => {
    /** Where the node is that takes writes now. */
    const primaryOf = async (url: string): Promise<{ host: string; port: number }> => {
      const client = new MongoClient(url);
      const { primary } = await client.db().command({ hello: 1 });
      await client.close();
      const [, host, port] = /^\[?(.+?)\]?:(\d+)$/.exec(String(primary)) ?? [];
      if (host === undefined) throw new Error('the server is no replica set');
      return { host, port: Number(port) };
    };

    /** A door before the primary that can be shut: nothing can connect, what is connected is cut. */
    const openDoor = async (url: string) => {
      const target = await primaryOf(url);
      const sockets = new Set<Socket>();
      const door = createServer((inner) => {
        const outer = connect(target.port, target.host);
        for (const socket of [inner, outer]) {
          sockets.add(socket);
          socket.on('error', () => socket.destroy());
          socket.on('close', () => sockets.delete(socket));
        }
        inner.on('close', () => outer.destroy());
        outer.on('close', () => inner.destroy());
        inner.pipe(outer).pipe(inner);
      });
      const listen = async (port: number): Promise<number> => {
        door.listen(port, '127.0.0.1');
        await once(door, 'listening');
        return (door.address() as { port: number }).port;
      };
      const shut = async (): Promise<void> => {
        const closed = once(door, 'close');
        door.close();
        for (const socket of sockets) socket.destroy();
        await closed;
      };
      const port = await listen(0);
      return {
        url:
          url.replace(/^mongodb(?:\+srv)?:\/\/([^@/]*@)?[^/]+/, `mongodb://$1127.0.0.1:${port}`) +
          (url.includes('?') ? '&' : '?') +
          'directConnection=true',
        shut,
        reopen: () => listen(port),
      };
    };

    const eventually = <T>(task: () => Promise<T>): Promise<T> => vi.waitFor(task, 20_000);

    test(
      'calls reject while the server is down, from the opening or later, and succeed when it is back',
      { timeout: 90_000 },
      async () => {
        const url = freshUrl();
        const door = await openDoor(url);
        await door.shut();
        const store = openMongoStore(door.url);
        await expect(store.ping()).rejects.toThrow();
        await expect(store.ping()).rejects.toThrow('cannot be used now');
        await door.reopen();
        await eventually(() => store.ping());
        const row = { partition: 0, streamId: '1-0', completeAt: 1 };
        const nothing = { conversations: [], members: [], skips: [], amendments: [], blocks: [] };
        await store.write({ ...nothing, progress: row });

        await door.shut();
        await expect(store.write({ ...nothing, progress: { ...row, completeAt: 2 } })).rejects.toThrow();
        await expect(store.progress()).rejects.toThrow();
        await door.reopen();
        await eventually(() => store.write({ ...nothing, progress: { ...row, completeAt: 3 } }));
        expect(await store.progress()).toEqual([{ ...row, completeAt: 3 }]);
        await store.close();
        await door.shut();
        await drop(url);
      },
    );

    test(
      'the next epoch does not wait for a process that is paused in the middle of a write',
      { timeout: 60_000 },
      async () => {
        const url = freshUrl();
        const store = openMongoStore(url);
        const nothing = { conversations: [], members: [], skips: [], amendments: [], blocks: [] };
        const progress = { partition: 0, streamId: '1-0', completeAt: 1 };
        await store.saveDeployment(null, deployment('e1'));
        await store.write({ ...nothing, epoch: 'e1', progress, skips: [{ conversation: 'c', fromSeq: 1, toSeq: 1 }] });
        // What such a process leaves behind: a transaction that has changed the row and is not committed.
        const client = new MongoClient(url, { appName: 'restante' });
        const session = client.startSession();
        session.startTransaction();
        await client
          .db()
          .collection<{ _id: number }>('progress')
          .updateOne({ _id: 0 }, { $inc: { writes: 1 } }, { session });
        const began = performance.now();
        expect(await store.saveDeployment('e1', deployment('e2', 2))).toEqual(deployment('e2', 2));
        expect(performance.now() - began).toBeLessThan(10_000);
        await expect(session.commitTransaction()).rejects.toThrow();
        await Promise.all([session.endSession(), store.close()]);
        await client.close();
        await drop(url);
      },
    );

    test('its indexes are there, the one of blocks is unique', async () => {
      const url = freshUrl();
      const store = openMongoStore(url);
      await store.ping();
      await store.close();
      const again = openMongoStore(url);
      await again.ping();
      await again.close();
      const client = new MongoClient(url);
      const keys = async (name: string) =>
        (await client.db().collection(name).indexes()).map(
          ({ key, unique }) => `${Object.keys(key)}${unique ? ' unique' : ''}`,
        );
      expect(await keys('blocks')).toEqual(
        expect.arrayContaining([
          'conversation,firstSeq unique',
          'conversation,firstSeq,lastSeq,lastAt',
          'conversation,lastSeq,firstSeq',
          'lastAt',
          'apart,lastAt',
        ]),
      );
      expect(await keys('conversations')).toEqual(expect.arrayContaining(['historyDays,_id']));
      expect(await keys('members')).toEqual(expect.arrayContaining(['conversation,user', 'user,conversation']));
      expect(await keys('skips')).toEqual(expect.arrayContaining(['conversation,fromSeq,toSeq']));
      await client.close();
      await drop(url);
    });

    test('reads go by an index, sort nothing, and read no document that they do not give', async () => {
      const url = freshUrl();
      const store = openMongoStore(url);
      const of = (conversation: string, from: number, to: number) =>
        Array.from({ length: to - from + 1 }, (_, i) => ({
          conversation,
          firstSeq: from + i,
          lastSeq: from + i,
          firstAt: from + i,
          lastAt: from + i,
          format: 1,
          rev: 0,
          texts: ['1'],
        }));
      const info = {
        id: 'c',
        kind: 'group' as const,
        name: null,
        createdAt: 1,
        service: false,
        users: null,
        historyDays: null,
        version: 1,
      };
      const members = Array.from({ length: 300 }, (_, i) => ({
        conversation: 'c',
        user: `user-${300 - i}`,
        spans: [],
        version: 1,
      }));
      const skips = Array.from({ length: 20 }, (_, i) => ({
        conversation: 'c',
        fromSeq: 9000 - i * 10,
        toSeq: 9001 - i * 10,
      }));
      await store.write({
        progress: null,
        conversations: [info],
        members,
        skips,
        amendments: [],
        blocks: of('c', 1, 3000),
      });
      await store.write({
        progress: null,
        conversations: [],
        members: [],
        skips: [],
        amendments: [],
        blocks: of('d', 1, 300),
      });
      const client = new MongoClient(url);
      await client.db().command({ profile: 2 });
      expect(await store.blocks('c', 2001, 2050, 'oldest', 100)).toHaveLength(50);
      expect(await store.blocks('c', 2001, 2050, 'newest', 100)).toHaveLength(50);
      expect(await store.blocksSince('c', 2950, 0, 100)).toHaveLength(51);
      expect(await store.ranges('c', 100, 1000)).toHaveLength(1000);
      expect(await store.keptFrom('c')).toBe(1);
      expect(await store.lastSeqs(['c', 'd', 'e'])).toEqual(
        new Map([
          ['c', 9001],
          ['d', 300],
        ]),
      );
      expect((await store.conversation('c'))?.members).toHaveLength(300);
      expect(await store.conversationsOf('user-7', '', 9)).toHaveLength(1);
      expect(await store.expireBlocksOf('c', 1, 500)).toBe(0);
      expect((await store.changedSince(2900, 10)).until).not.toBeNull();
      await client.db().command({ profile: 0 });
      const asked = await client
        .db()
        .collection('system.profile')
        .find({ ns: /[.](blocks|members|skips|conversations)$/, 'command.find': { $exists: true } })
        .toArray();
      expect(asked.length).toBeGreaterThanOrEqual(11);
      for (const { planSummary, hasSortStage, docsExamined, nreturned, command } of asked) {
        expect(planSummary).toMatch(/^(IXSCAN|IDHACK)/);
        expect([hasSortStage, command.filter]).toEqual([undefined, command.filter]);
        expect(docsExamined, `${JSON.stringify(command.filter)}`).toBeLessThanOrEqual(nreturned);
      }
      const ends = await client
        .db()
        .collection('system.profile')
        .find({ 'command.aggregate': { $exists: true } })
        .toArray();
      expect(ends.map(({ docsExamined }) => docsExamined)).toEqual(ends.map(() => 0));
      await client.close();
      await store.close();
      await drop(url);
    });

    test('what was written before there were days of conversations is read, expired and given days', async () => {
      const url = freshUrl();
      const client = new MongoClient(url);
      const row = { kind: 'group', name: null, createdAt: 1, service: false, users: null, version: 1 };
      const block = { conversation: 'c', firstAt: 1, lastAt: 1, format: 1, texts: '"hello"' };
      await client
        .db()
        .collection<{ _id: string }>('conversations')
        .insertOne({ _id: 'c', ...row });
      await client
        .db()
        .collection('blocks')
        .insertMany([
          { ...block, firstSeq: 1, lastSeq: 1 },
          { ...block, firstSeq: 2, lastSeq: 2, lastAt: 2 },
        ]);
      const store = openMongoStore(url);
      const info = { id: 'c', ...row, kind: 'group' as const, historyDays: null };
      expect((await store.conversation('c'))?.info).toEqual(info);
      expect(await store.expireBlocks(2, 9)).toEqual({ looked: 1, removed: 1 });
      await store.write({
        progress: null,
        conversations: [{ ...info, historyDays: 0, version: 2 }],
        members: [],
        skips: [],
        amendments: [],
        blocks: [],
      });
      expect(await store.expireBlocks(9, 9)).toEqual({ looked: 1, removed: 0 });
      expect(await store.expireBlocks(9, 9)).toEqual({ looked: 0, removed: 0 });
      expect(await store.newestBlock('c')).toMatchObject({ texts: ['"hello"'] });
      await client.close();
      await store.close();
      await drop(url);
    });

    test('blocks of before there were revisions are rewritten, merged and cooled as the first ones', async () => {
      const url = freshUrl();
      const client = new MongoClient(url);
      const stored = (seq: number) => ({
        conversation: 'c',
        firstSeq: seq,
        lastSeq: seq,
        firstAt: seq,
        lastAt: seq,
        format: 1,
        texts: `"old ${seq}"`,
      });
      await client
        .db()
        .collection('blocks')
        .insertMany([1, 2, 3, 4].map((seq) => stored(seq)));
      const store = openMongoStore(url);
      const [first, second, third, fourth] = await store.blocks('c', 1, 9, 'oldest', 9);
      expect([first!.rev, await store.stateOf(first!)]).toEqual([0, { format: 1, rev: 0 }]);
      expect(await store.rewriteBlock(first!, 1, first!)).toBe(false);
      expect(await store.rewriteBlock(first!, 0, { ...first!, texts: ['"new 1"'] })).toBe(true);
      expect(await store.makeCold(fourth!)).toBe(true);
      const merged = { ...second!, lastSeq: 3, lastAt: 3, texts: [...second!.texts, ...third!.texts] };
      expect(await store.replaceBlocks([second!, third!], merged)).toBe(true);
      expect(
        (await store.blocks('c', 1, 9, 'oldest', 9)).map(({ texts, rev, format }) => [texts, rev, format]),
      ).toEqual([
        [['"new 1"'], 1, 1],
        [['"old 2"', '"old 3"'], 0, 1],
        [[], 0, 4],
      ]);
      await client.close();
      await store.close();
      await drop(url);
    });

    test('a pack that was changed is refused when read, and says where', async () => {
      const url = freshUrl();
      const store = openMongoStore(url);
      const block = {
        conversation: 'c',
        firstSeq: 1,
        lastSeq: 1,
        firstAt: 1,
        lastAt: 1,
        format: 2,
        rev: 0,
        texts: ['"hello"'],
      };
      await store.write({ progress: null, conversations: [], members: [], skips: [], amendments: [], blocks: [block] });
      const client = new MongoClient(url);
      const blocks = client.db().collection<{ firstSeq: number; texts: Binary }>('blocks');
      const bytes = Buffer.from((await blocks.findOne({ firstSeq: 1 }))!.texts.buffer);
      bytes[bytes.indexOf('hello')]! ^= 1;
      await blocks.updateOne({ firstSeq: 1 }, { $set: { texts: new Binary(bytes) } });
      await expect(store.newestBlock('c')).rejects.toThrow('block c 1-1: cannot be unpacked');
      await client.close();
      await store.close();
      await drop(url);
    });

    test('a block of an unknown format is refused when read', async () => {
      const url = freshUrl();
      const store = openMongoStore(url);
      const client = new MongoClient(url);
      await client.db().collection('blocks').insertOne({
        conversation: 'c',
        firstSeq: 1,
        lastSeq: 1,
        firstAt: 1,
        lastAt: 1,
        format: 9,
        texts: '{}',
      });
      await expect(store.newestBlock('c')).rejects.toThrow('unknown format 9');
      await client.close();
      await store.close();
      await drop(url);
    });
  });
}
