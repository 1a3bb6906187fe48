import fc from 'fast-check';
import { expect, test } from 'vitest';
import { clientFrames } from '../../../../shared/protocol/client-frames.ts';
import { isHotFrame } from '../../../../shared/protocol/hot-frames.ts';
import { parseFrame } from '../../../../shared/protocol/parse.ts';
import { always } from '../../../support/properties.ts';

const id = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/);
const kind = fc.stringMatching(/^[a-z0-9._-]{1,32}$/).filter((text) => !text.startsWith('restante.'));
const position = fc.maxSafeNat();

const validSend = fc
  .record(
    {
      type: fc.constant('send'),
      clientId: id,
      kind,
      body: fc.jsonValue(),
      id,
      class: fc.constantFrom('normal', 'important'),
      level: fc.constantFrom('accepted', 'durable', 'stored'),
      after: id,
    },
    { requiredKeys: ['type', 'clientId', 'kind', 'body'] },
  )
  .chain((frame) =>
    fc.oneof(
      id.map((to) => ({ ...frame, to })),
      id.map((conversation) => ({ ...frame, conversation })),
    ),
  );
const validReceived = fc.record(
  { type: fc.constant('received'), position, id, pageItems: fc.integer({ min: 1, max: 200 }) },
  { requiredKeys: ['type', 'position'] },
);
const valid: fc.Arbitrary<object> = fc.oneof(validSend, validReceived);

/** Values near the edge of what a field takes. */
const odd = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom('', 'a'.repeat(64), 'a'.repeat(65), 'ü', 'a b', 'a\n', 'restante.x', 'restante', 'normal', 'stored'),
  fc.constantFrom(-1, -0, 0, 0.5, 1, 200, 201, 2 ** 53 - 1, 2 ** 53, 1e300, null, true, []),
);
const name = fc.oneof(
  fc.constantFrom('type', 'id', 'clientId', 'conversation', 'to', 'kind', 'body', 'class', 'level', 'after'),
  fc.constantFrom('position', 'pageItems', 'epoch', '__proto__', 'constructor', 'toString', ''),
);
/** A valid frame of which some fields were removed, added or replaced. */
const mutated = fc
  .tuple(valid, fc.array(fc.tuple(name, fc.option(odd, { nil: undefined })), { maxLength: 3 }))
  .map(([frame, changes]) => {
    const fields = new Map<string, unknown>(Object.entries(frame));
    for (const [field, value] of changes) {
      if (value === undefined) fields.delete(field);
      else fields.set(field, value);
    }
    return `{${[...fields].map(([field, value]) => `${JSON.stringify(field)}:${JSON.stringify(value)}`).join(',')}}`;
  });

const schemaOf = (value: { type?: unknown }) => (value.type === 'received' ? clientFrames.received : clientFrames.send);

test('a frame that is taken without the schema is what the schema would have made of it', () => {
  always(
    fc.property(mutated, (text) => {
      const value = JSON.parse(text) as { type?: unknown };
      if (!isHotFrame(value)) return;
      expect(schemaOf(value).parse(JSON.parse(text))).toStrictEqual(value);
    }),
  );
});

test('every frame is read as the schema reads it, or refused as the schema refuses it', () => {
  always(
    fc.property(mutated, (text) => {
      const value = JSON.parse(text) as { type?: unknown };
      if (value.type !== 'send' && value.type !== 'received') return;
      const bySchema = schemaOf(value).safeParse(value);
      const parsed = parseFrame(text);
      expect('frame' in parsed).toBe(bySchema.success);
      if ('frame' in parsed) expect(parsed.frame).toStrictEqual(bySchema.data);
    }),
  );
});

test('every valid frame is taken without the schema', () => {
  always(
    fc.property(valid, (frame) => {
      expect(isHotFrame(JSON.parse(JSON.stringify(frame)) as object)).toBe(true);
    }),
  );
});

test.each(['hello', 'ping', 'typing', 'amend', 7, null, undefined])(
  'a frame of type %j is left to the schema',
  (type) => {
    expect(isHotFrame({ type, clientId: 'c', to: 'bob', kind: 'text', body: 1, position: 1 })).toBe(false);
  },
);
