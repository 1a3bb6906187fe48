import { z } from 'zod';
import { kindPattern, serverKindPrefix } from '../../shared/model/model.ts';
import { clientFrames } from '../../shared/protocol/client-frames.ts';
import { gap, item, message, range, serverFrames, unread } from '../../shared/protocol/server-frames.ts';

export type JsonSchema = { [keyword: string]: unknown };

/** Parts of frames that have names of their own. */
const parts = { message, item, gap, range, unread };

export const clientTypes = Object.keys(clientFrames);
export const serverTypes = Object.keys(serverFrames);

/** Client and server frames may have the same type, so schema names include the direction. */
export const nameOf = (direction: 'client' | 'server', type: string): string => `${direction}.${type}`;

/** Drops the bounds of safe integers, which every number has. */
function dropSafeBounds(schema: JsonSchema): void {
  if (schema['minimum'] === Number.MIN_SAFE_INTEGER) delete schema['minimum'];
  if (schema['maximum'] === Number.MAX_SAFE_INTEGER) delete schema['maximum'];
}

/** Describes the refinements of client-frames.ts in words, since JSON Schema cannot express code. */
function addRefinements(schema: JsonSchema): void {
  const properties = schema['properties'] as Record<string, JsonSchema> | undefined;
  if (properties?.['conversation'] && properties['to']) {
    schema['oneOf'] = [{ required: ['conversation'] }, { required: ['to'] }];
  }
  if (properties?.['before'] && properties['after']) schema['not'] = { required: ['before', 'after'] };
  const action = properties?.['action'] as { enum?: string[] } | undefined;
  if (properties?.['body'] && action?.enum?.includes('recall') === true) {
    schema['anyOf'] = [
      { properties: { action: { const: 'edit' } }, required: ['body'] },
      { properties: { action: { const: 'recall' } }, not: { required: ['body'] } },
    ];
  }
  const kind = properties?.['kind'];
  if (kind?.['pattern'] === kindPattern.source) kind['not'] = { pattern: `^${serverKindPrefix.replace('.', '\\.')}` };
}

/**
 * JSON Schemas (draft 7) of every frame and its parts, by name, made from the schemas that the gateway uses. `base` is
 * their location in the document. Unknown fields are allowed everywhere: both sides ignore them.
 */
export function frameSchemas(base: string): Record<string, JsonSchema> {
  const registry = z.registry<{ id: string }>();
  for (const [name, schema] of Object.entries(parts)) registry.add(schema, { id: name });
  for (const [type, schema] of Object.entries(clientFrames)) registry.add(schema, { id: nameOf('client', type) });
  for (const [type, schema] of Object.entries(serverFrames)) registry.add(schema, { id: nameOf('server', type) });
  const { schemas } = z.toJSONSchema(registry, {
    target: 'draft-7',
    io: 'input',
    uri: (name) => `${base}${name}`,
    override: ({ jsonSchema }) => dropSafeBounds(jsonSchema as JsonSchema),
  }) as { schemas: Record<string, JsonSchema> };
  return Object.fromEntries(
    Object.entries(schemas).map(([name, { $schema: _dialect, $id: _place, ...schema }]) => {
      if (name.startsWith('client.')) addRefinements(schema);
      return [name, schema];
    }),
  );
}

const anyOf = (direction: 'client' | 'server', types: string[]) => ({
  oneOf: types.map((type) => ({ $ref: `#/definitions/${nameOf(direction, type)}` })),
});

/** One document for validators: `#/definitions/client` and `#/definitions/server` match any frame of that side. */
export const frameSchemaDocument = (): JsonSchema => ({
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: 'Frames of restante.v1',
  description:
    'Generated from shared/protocol. Any frame; clients send #/definitions/client, the server #/definitions/server.',
  anyOf: [{ $ref: '#/definitions/client' }, { $ref: '#/definitions/server' }],
  definitions: {
    client: anyOf('client', clientTypes),
    server: anyOf('server', serverTypes),
    ...frameSchemas('#/definitions/'),
  },
});
