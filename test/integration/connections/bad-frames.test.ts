import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';
import { openDevice } from '../../support/device.ts';
import { close, openRaw, ping, rawFrame, text } from '../../support/raw-socket.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ archive: false, env: { SEND_RATE_PER_USER: '5' } });
});
afterAll(() => cluster.stop());

/**
 * Sends the text, which carries the id `r`, and resolves with the error that answers it; the connection must stay
 * usable.
 */
async function refused(device: Welcomed, frame: string) {
  const before = device.all('error').length;
  device.sendText(frame);
  const error = await device.until('the refusal', () => device.all('error')[before]);
  await device.settle();
  expect(error.message).toMatch(/./);
  expect(error.retryable).toBe(false);
  return error;
}

describe('bytes that are no WebSocket', () => {
  const fragments = (count: number): Buffer =>
    Buffer.concat([rawFrame(0x01, '"'), ...Array.from({ length: count }, () => rawFrame(0x00, 'a'))]);
  const rows: [string, () => Buffer, number][] = [
    ['an unmasked frame', () => rawFrame(text, '{}', { masked: false }), 1002],
    ['RSV1 without an extension', () => rawFrame(0xc1, '{}'), 1002],
    ['a reserved opcode', () => rawFrame(0x83, ''), 1002],
    ['text that is not UTF-8', () => rawFrame(text, Buffer.from([0xc3, 0x28])), 1007],
    ['a lone surrogate in UTF-8', () => rawFrame(text, Buffer.from([0xed, 0xa0, 0x80])), 1007],
    ['a frame that says it is larger than allowed', () => rawFrame(text, '', { length: 10_000_000 }), 1009],
    ['a ping of 200 bytes', () => rawFrame(ping, 'a'.repeat(200)), 1002],
    ['a continuation of nothing', () => rawFrame(0x80, 'a'), 1002],
    ['far too many fragments', () => fragments(5000), 1008],
    ['a close frame with code 1005', () => rawFrame(close, Buffer.from([0x03, 0xed])), 1002],
    ['a close frame of one byte', () => rawFrame(close, 'a'), 1002],
  ];

  test.each(rows)('%s, before hello and after it', async (_, bytes, code) => {
    const fresh = await openRaw(cluster.url());
    fresh.write(bytes());
    const greeted = await openRaw(cluster.url());
    greeted.write(
      rawFrame(text, JSON.stringify({ type: 'hello', token: cluster.token(cluster.user('raw')), device: 'raw' })),
    );
    greeted.write(bytes());
    expect(await Promise.all([fresh.closed, greeted.closed])).toEqual([code, code]);
  });

  test('a send of 2 KB in 65 fragments is accepted, and so is one in as many as a frame may have', async () => {
    const { maxFrameBytes } = (await cluster.connect(cluster.user('limits'))).welcome.limits;
    for (const [name, pieces] of [
      ['few', 65],
      ['many', maxFrameBytes / 16],
    ] as const) {
      const device = await cluster.connect(cluster.user('alice'));
      const send = (padding: number) =>
        JSON.stringify({ type: 'send', clientId: name, to: 'bob', kind: 'text', body: 'x'.repeat(padding) });
      const whole = send(Math.max(2000, pieces - send(0).length));
      const size = Math.floor(whole.length / pieces);
      for (let i = 0; i < pieces; i++) {
        device.socket.send(whole.slice(i * size, i === pieces - 1 ? undefined : (i + 1) * size), {
          fin: i === pieces - 1,
        });
      }
      await device.find('accepted', ({ clientId }) => clientId === name);
    }
  });

  test('a text frame above `limits.maxFrameBytes` is closed with 1009, one at the limit is not', async () => {
    const device = await cluster.connect(cluster.user('alice'));
    const { maxFrameBytes } = device.welcome.limits;
    const frame = (bytes: number) => {
      const empty = '{"type":"ping","id":"r","padding":""}';
      return empty.replace('""', `"${'a'.repeat(bytes - empty.length)}"`);
    };
    device.sendText(frame(maxFrameBytes));
    await device.find('pong', ({ re }) => re === 'r');
    device.sendText(frame(maxFrameBytes + 1));
    expect(await device.closed).toMatchObject({ code: 1009 });
  });
});

describe('protocol abuse', () => {
  const notFrames: [string, string | Buffer, boolean][] = [
    ['words', 'hello', false],
    ['nothing', '', false],
    ['truncated JSON', '{"type":"ping"', false],
    ['a byte order mark', '\ufeff{"type":"ping"}', false],
    ['null', 'null', false],
    ['an array', '[{"type":"ping"}]', false],
    ['a string', '"ping"', false],
    ['a number', '1', false],
    ['a binary frame', Buffer.from('{"type":"ping"}'), true],
    ['30,000 brackets', '['.repeat(30_000), false],
  ];

  test.each(notFrames)('%s: bad_frame twice, at the third time 4400', async (_, data, binary) => {
    const device = await cluster.connect(cluster.user('alice'));
    for (let i = 1; i <= 2; i++) {
      device.sendText(data, binary);
      await device.until(`refusal ${i}`, () => device.all('error').length === i);
      await device.settle();
    }
    device.sendText(data, binary);
    expect(await device.closed).toMatchObject({ code: 4400 });
    expect(device.all('error').map(({ code }) => code)).toEqual(['bad_frame', 'bad_frame', 'bad_frame']);
  });

  test('single bad frames of other sorts never close', async () => {
    const device = await cluster.connect(cluster.user('alice'));
    for (let i = 0; i < 20; i++) device.send({ type: 'nonsense' });
    await device.until('20 refusals', () => device.all('error').length === 20);
    await device.settle();
  });

  test('a ping is answered with its own data', async () => {
    const device = await cluster.connect(cluster.user('alice'));
    const answered = once(device.socket, 'pong');
    device.socket.ping('are you there?');
    expect(String((await answered)[0])).toBe('are you there?');
  });

  test('answers and pongs come in the order of what they answer, and all of them before the close', async () => {
    const device = await cluster.connect(cluster.user('alice'));
    const order: unknown[] = [];
    device.socket.on('message', (data) => order.push((JSON.parse(String(data)) as { re?: string }).re ?? 'no id'));
    device.socket.on('pong', (data) => order.push(String(data)));
    const sent = Array.from({ length: 10 }, (_, i) => [`frame-${i}`, `ping-${i}`]).flat();
    for (const name of sent) {
      if (name.startsWith('frame')) device.send({ type: 'nonsense', id: name });
      else device.socket.ping(name);
    }
    for (let i = 0; i < 3; i++) device.sendText('not JSON');
    expect(await device.closed).toMatchObject({ code: 4400 });
    expect(order).toEqual([...sent, 'no id', 'no id', 'no id']);
  });

  test('a flood of pings is closed with 4429', async () => {
    const device = await openDevice(cluster.url());
    device.send({ type: 'hello', token: cluster.token(cluster.user('alice')), device: 'phone' });
    await device.find('welcome');
    for (let i = 0; i < 2000; i++) device.socket.ping();
    expect(await device.closed).toMatchObject({ code: 4429 });
  });
});

describe('types', () => {
  test.each([
    'nonsense',
    '__proto__',
    'toString',
    'constructor',
    'hasOwnProperty',
    '',
    'Hello',
    'welcome',
    'deliver',
    'x'.repeat(10_000),
  ])('%s is bad_frame', async (type) => {
    const device = await cluster.connect(cluster.user('alice'));
    expect(await refused(device, JSON.stringify({ type, id: 'r' }))).toMatchObject({ code: 'bad_frame', re: 'r' });
  });

  test.each([
    '{"id":"r"}',
    '{"id":"r","type":1}',
    '{"id":"r","type":null}',
    '{"id":"r","type":["ping"]}',
    '{"id":"r","type":{"a":1}}',
  ])('%s is bad_frame', async (frame) => {
    const device = await cluster.connect(cluster.user('alice'));
    expect(await refused(device, frame)).toMatchObject({ code: 'bad_frame', re: 'r' });
  });

  test('of the same key twice the last one counts', async () => {
    const device = await cluster.connect(cluster.user('alice'));
    device.sendText('{"type":"nonsense","type":"ping","id":"one","id":"two"}');
    expect(await device.find('pong')).toMatchObject({ re: 'two' });
  });

  test('unknown fields, also those of prototypes, are ignored', async () => {
    const device = await cluster.connect(cluster.user('alice'));
    device.sendText('{"type":"ping","id":"r","__proto__":{"type":"hello"},"constructor":1,"newer":[1]}');
    expect(await device.find('pong')).toMatchObject({ re: 'r' });
  });
});

describe('numbers', () => {
  const numbers = [
    '1e400',
    '-1e400',
    '1.5',
    '-1',
    '9007199254740993',
    '1e30',
    '"1"',
    'null',
    'true',
    '[]',
    '{}',
    '{"$gt":0}',
    '"$"',
    '"+"',
    '"-"',
    '">"',
    '"(0"',
    '"0-0"',
    '"0-0-0"',
    '"123456789012345678901234567890"',
    '123456789012345678901234567890',
    '"NaN"',
    '""',
  ];
  const fields = [
    ['received', 'position', ''],
    ['sync', 'after', ''],
    ['received', 'pageItems', '"position":0,'],
    ['sync', 'limit', '"after":0,'],
    ['history', 'before', '"to":"bob",'],
    ['history', 'after', '"to":"bob",'],
    ['history', 'limit', '"to":"bob",'],
    ['read', 'seq', '"to":"bob",'],
  ] as const;

  test.each(fields)('%s.%s', async (type, field, rest) => {
    const device = await cluster.connect(cluster.user('alice'));
    for (const number of numbers) {
      const error = await refused(device, `{"type":"${type}","id":"r",${rest}"${field}":${number}}`);
      expect({ number, ...error }).toMatchObject({ number, code: 'bad_request', re: 'r' });
    }
  });

  test.each(['0', '-1', '201', '1000000000'])('sync.limit and received.pageItems %s', async (items) => {
    const device = await cluster.connect(cluster.user('alice'));
    for (const rest of [`"sync","after":0,"limit"`, `"received","position":0,"pageItems"`]) {
      expect(await refused(device, `{"id":"r","type":${rest}:${items}}`)).toMatchObject({
        code: 'bad_request',
        re: 'r',
      });
    }
  });

  test.each([
    ['received', 'position'],
    ['sync', 'after'],
    ['read', 'seq'],
  ])('%s without %s', async (type) => {
    const device = await cluster.connect(cluster.user('alice'));
    expect(await refused(device, `{"type":"${type}","id":"r"}`)).toMatchObject({ code: 'bad_request', re: 'r' });
  });
});

describe('ids', () => {
  const wrong = [
    '',
    '}',
    '}}a',
    '{z}',
    'x}y',
    '*',
    '?',
    '..',
    'a b',
    'a/b',
    'a:b',
    'a.b',
    '%00',
    '\0',
    '\n',
    'a\n',
    '\r\n',
    'é',
    '👩',
    '\u202ea',
    '\ud800',
    '\udfff',
    'a'.repeat(65),
    'a'.repeat(30_000),
  ]
    .map((id) => JSON.stringify(id))
    .concat('5', 'null', 'true', '[]', '["a"]', '{}', '{"$ne":null}');
  const frames = [
    ['send', 'to', '"clientId":"c","kind":"text","body":1,'],
    ['send', 'conversation', '"clientId":"c","kind":"text","body":1,'],
    ['history', 'to', ''],
    ['history', 'conversation', ''],
    ['read', 'conversation', '"seq":1,'],
    ['read', 'to', '"seq":1,'],
  ] as const;

  test.each(frames)('%s.%s', async (type, field, rest) => {
    const device = await cluster.connect(cluster.user('alice'));
    for (const id of wrong) {
      const error = await refused(device, `{"type":"${type}","id":"r",${rest}"${field}":${id}}`);
      expect({ id, ...error }).toMatchObject({
        id,
        code: 'bad_request',
        re: 'r',
        ...(type === 'send' ? { clientId: 'c' } : {}),
      });
    }
  });

  test("send.clientId and a request's id: refused, and not repeated in the answer", async () => {
    const device = await cluster.connect(cluster.user('alice'));
    for (const id of wrong) {
      const send = await refused(device, `{"type":"send","id":"r","clientId":${id},"to":"bob","kind":"text","body":1}`);
      expect({ id, ...send }).toMatchObject({ id, code: 'bad_request', re: 'r' });
      expect(send.clientId).toBeUndefined();
      const request = await refused(device, `{"type":"ping","id":${id}}`);
      expect({ id, ...request }).toMatchObject({ id, code: 'bad_request' });
      expect(request.re).toBeUndefined();
    }
  });

  test.each(['__proto__', 'constructor', 'hasOwnProperty', '-', '_', '0', '5', 'a'.repeat(64)])(
    '%s is an id like any other: as user, device, clientId and conversation',
    async (id) => {
      const alice = await cluster.connect(cluster.user('alice'));
      const strange = await cluster.connect(id, { device: id });
      const accepted = await alice.request(
        { type: 'send', id, clientId: id, to: id, kind: 'text', body: 1 },
        'accepted',
      );
      expect(accepted.clientId).toBe(id);
      await strange.find('deliver');
      expect(strange.items[0]!.message).toMatchObject({ clientId: id, seq: 1 });
      strange.received(1);
      await strange.close();
      const again = await cluster.connect(id, { device: id });
      expect(again.welcome).toMatchObject({ user: id, device: id, position: 1 });
      expect(await refused(again, `{"type":"history","id":"r","conversation":"${id}"}`)).toMatchObject({
        code: 'not_found',
        re: 'r',
      });
    },
  );
});

describe("sending into a conversation that is not one's own", () => {
  test('is answered like one that does not exist', async () => {
    const alice = await cluster.connect(cluster.user('alice'));
    const { conversation } = (
      await alice.request({ type: 'send', clientId: 'a', to: 'bob', kind: 'text', body: 1 }, 'accepted')
    ).message;
    const mallory = await cluster.connect(cluster.user('mallory'));
    const send = (to: string) =>
      `{"type":"send","id":"r","clientId":"c","conversation":"${to}","kind":"text","body":1}`;
    const foreign = await refused(mallory, send(conversation));
    expect(foreign).toMatchObject({ code: 'not_found', re: 'r', clientId: 'c' });
    expect(foreign).toEqual(await refused(mallory, send('nothing')));
  });
});

describe('too much', () => {
  test('more sends than allowed are rate_limited, with the time after which one has room', async () => {
    const alice = await cluster.connect(cluster.user('alice'));
    const other = await cluster.connect(cluster.user('carol'));
    expect(alice.welcome.limits.sendPerSecond).toBe(5);
    const send = (i: number) => ({ type: 'send', clientId: `c-${i}`, to: 'bob', kind: 'text', body: i });
    for (let i = 0; i < 30; i++) alice.send(send(i));
    await alice.until('30 answers', () => alice.frames.length === 31);
    const [accepted, errors] = [alice.all('accepted').length, alice.all('error')];
    // A burst of twice the rate, and what has grown back meanwhile.
    expect(accepted).toBeGreaterThanOrEqual(10);
    expect(accepted).toBeLessThanOrEqual(13);
    for (const error of errors)
      expect(error).toMatchObject({ code: 'rate_limited', retryable: true, retryAfterMs: expect.any(Number) });
    expect(errors.map(({ clientId }) => clientId)).toContain('c-29');
    await other.request(send(0), 'accepted');

    // Time itself is tested: there is room after just as long as the answer says.
    await pause(errors.at(-1)!.retryAfterMs);
    expect((await alice.request(send(29), 'accepted')).message.seq).toBe(accepted + 1);
  });

  test('a device beyond the 20 that are online is closed with 4429, the others stay', async () => {
    const user = cluster.user('alice');
    const devices = await Promise.all(
      Array.from({ length: 20 }, (_, i) => cluster.connect(user, { device: `device-${i}` })),
    );
    const one = await openDevice(cluster.url());
    one.send({ type: 'hello', token: cluster.token(user), device: 'one-more' });
    expect(await one.closed).toMatchObject({ code: 4429 });
    await Promise.all(devices.map((device) => device.settle()));
    await devices[7]!.close();
    await cluster.connect(user, { device: 'one-more' });
  });
});
