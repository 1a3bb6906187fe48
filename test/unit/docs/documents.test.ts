import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { clientFrames } from '../../../shared/protocol/client-frames.ts';
import { serverFrames } from '../../../shared/protocol/server-frames.ts';
import { readExamples } from '../../../tools/docgen/examples.ts';
import { generatedFiles } from '../../../tools/docgen/files.ts';
import { frameSchemaDocument, frameSchemas, type JsonSchema } from '../../../tools/docgen/schemas.ts';

const read = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');

describe('generated files', () => {
  test.each([...generatedFiles()])(
    '%s is what the generator makes (npx node tools/docgen/generate.ts)',
    (path, text) => {
      expect(read(path)).toBe(text);
    },
  );
});

/** Every place in a document that a `$ref` names. */
const refsIn = (value: unknown): string[] =>
  typeof value !== 'object' || value === null
    ? []
    : Object.entries(value).flatMap(([name, inner]) => (name === '$ref' ? [String(inner)] : refsIn(inner)));

const at = (document: unknown, ref: string): unknown =>
  ref
    .slice(2)
    .split('/')
    .reduce<unknown>((value, name) => (value as Record<string, unknown> | undefined)?.[name], document);

describe('schemas of frames', () => {
  test('there is one for each frame', () => {
    const names = Object.keys(frameSchemas('#/'));
    expect(names).toEqual(
      expect.arrayContaining([
        ...Object.keys(clientFrames).map((type) => `client.${type}`),
        ...Object.keys(serverFrames).map((type) => `server.${type}`),
      ]),
    );
  });

  test.each([
    ['docs/generated/frames.schema.json', frameSchemaDocument()],
    ['docs/generated/asyncapi.json', JSON.parse(read('docs/generated/asyncapi.json')) as object],
  ])('every reference of %s leads somewhere', (_, document) => {
    const refs = refsIn(document);
    expect(refs.length).toBeGreaterThan(20);
    expect(refs.filter((ref) => !ref.startsWith('#/') || at(document, ref) === undefined)).toEqual([]);
  });

  test('unknown fields are allowed, and what only code checks is said too', () => {
    const schemas = frameSchemas('#/');
    expect(JSON.stringify(schemas)).not.toContain('"additionalProperties":false');
    const send = schemas['client.send'] as {
      required: string[];
      oneOf: JsonSchema[];
      properties: Record<string, JsonSchema>;
    };
    expect(send.required).toEqual(['type', 'clientId', 'kind', 'body']);
    expect(send.oneOf).toEqual([{ required: ['conversation'] }, { required: ['to'] }]);
    const kind = send.properties['kind'] as { not: { pattern: string } };
    expect(new RegExp(kind.not.pattern).test('restante.membership')).toBe(true);
    expect(new RegExp(kind.not.pattern).test('restantes')).toBe(false);
    expect(schemas['client.history']!['not']).toEqual({ required: ['before', 'after'] });
  });
});

describe('examples', () => {
  test('are read with what they are and where they stand', () => {
    const text = [
      'Words.',
      '```json client bob/web',
      '{"type":"ping"}',
      '```',
      '<!-- run: settled inbox -->',
      '```http bob',
      'PUT /v1/x',
      '',
      '{"seq":3}',
      '```',
      '```json 204',
      '```',
      '```sh',
      'npm start',
      '```',
    ].join('\n');
    expect(readExamples(text)).toEqual([
      { line: 2, is: 'client', device: 'bob/web', frame: { type: 'ping' } },
      { line: 5, is: 'run', words: ['settled', 'inbox'] },
      { line: 6, is: 'request', caller: 'bob', method: 'PUT', path: '/v1/x', body: { seq: 3 } },
      { line: 11, is: 'answer', status: 204, body: undefined },
    ]);
  });

  test.each([
    ['```json\n{}\n```', 'line 1'],
    ['x\n```json client a/b\n{"type":\n```', 'line 2'],
  ])('%j is refused', (text, line) => {
    expect(() => readExamples(text)).toThrow(line);
  });
});
