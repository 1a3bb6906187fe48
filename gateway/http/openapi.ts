import { z } from 'zod';
import { type ErrorCode, Refusal } from '../../shared/model/errors.ts';
import { errorBody } from './errors.ts';
import type { Route } from './route.ts';

type Schema = { $defs?: Record<string, Schema>; properties?: Record<string, Schema>; required?: string[] } & Record<
  string,
  unknown
>;
type Operation = Record<string, unknown>;
export type OpenApi = {
  openapi: string;
  info: Record<string, string>;
  security: object[];
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema>; securitySchemes: object };
};

const errorStatus = (code: ErrorCode): number => new Refusal(code, '').status;

/** Removes the bounds of safe integers: they say nothing to the reader. */
function dropSafeBounds(schema: { minimum?: number; maximum?: number }): void {
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
}

const description = [
  'A delivery cluster for instant messages. The messages of a conversation have rising seqs.',
  'The inbox of a user holds what may still have to be delivered, at rising positions.',
  'Ids are 1 to 64 letters, digits, _ or -. Clients must ignore unknown fields.',
].join(' ');

/** The routes as OpenAPI 3.1, made from the schemas that check the requests. */
export function openApiOf(routes: readonly Route[]): OpenApi {
  const schemas: Record<string, Schema> = {};

  /** The JSON Schema of one value. Named schemas are moved to the components. */
  function schemaOf(schema: z.ZodType): Schema {
    const made = z.toJSONSchema(schema, {
      io: 'input',
      unrepresentable: 'any',
      override: ({ jsonSchema }) => dropSafeBounds(jsonSchema),
    });
    const {
      $schema: _dialect,
      $defs = {},
      ...own
    } = JSON.parse(JSON.stringify(made).replaceAll('"#/$defs/', '"#/components/schemas/')) as Schema;
    Object.assign(schemas, $defs);
    return own;
  }

  const parametersIn = (place: 'path' | 'query', object: z.ZodObject): object[] => {
    const { properties = {}, required = [] } = schemaOf(object);
    return Object.entries(properties).map(([name, { description: told, ...schema }]) => ({
      name,
      in: place,
      required: required.includes(name),
      ...(told === undefined ? {} : { description: told }),
      schema,
    }));
  };

  const content = (schema: z.ZodType): object => ({ 'application/json': { schema: schemaOf(schema) } });

  function refusalsOf(route: Route): Record<string, object> {
    const codes = new Set<ErrorCode>(['unauthenticated', ...route.refuses, 'rate_limited', 'internal', 'retry_later']);
    if (Object.keys({ ...route.params.shape, ...route.query.shape }).length > 0 || route.body !== null)
      codes.add('bad_request');
    if (route.body !== null) codes.add('too_large');
    const byStatus = new Map<number, ErrorCode[]>();
    for (const code of codes) byStatus.set(errorStatus(code), [...(byStatus.get(errorStatus(code)) ?? []), code]);
    return Object.fromEntries(
      [...byStatus].map(([status, list]) => [
        status,
        {
          description: list.map((code) => `\`${code}\``).join(' or '),
          ...(status === 429 || status === 503
            ? { headers: { 'Retry-After': { description: 'seconds', schema: { type: 'integer', minimum: 1 } } } }
            : {}),
          content: content(errorBody),
        },
      ]),
    );
  }

  const operationOf = (route: Route): Operation => ({
    operationId: route.name,
    summary: route.summary,
    parameters: [...parametersIn('path', route.params), ...parametersIn('query', route.query)],
    ...(route.body === null ? {} : { requestBody: { required: true, content: content(route.body) } }),
    responses: {
      ...Object.fromEntries(
        Object.entries(route.answers).map(([status, { description: told, schema }]) => [
          status,
          { description: told, ...(schema === undefined ? {} : { content: content(schema) }) },
        ]),
      ),
      ...refusalsOf(route),
    },
  });

  const open = (operationId: string, summary: string, responses: object): { get: Operation } => ({
    get: { operationId, summary, security: [], responses },
  });
  const paths: OpenApi['paths'] = {
    '/v1/ws': open(
      'connect',
      'The WebSocket: subprotocol `restante.v1`, JSON text frames. The first frame is `hello` with the token.',
      {
        101: { description: 'the socket is open' },
        403: { description: 'the origin is not allowed' },
        426: { description: 'the request is no WebSocket upgrade' },
        503: { description: 'the gateway is not ready' },
      },
    ),
    '/v1/openapi.json': open('getOpenApi', 'This document.', {
      200: { description: 'OpenAPI 3.1', content: { 'application/json': {} } },
    }),
    '/v1/docs': open('getDocs', 'This document as a page.', {
      200: { description: 'a page', content: { 'text/html': {} } },
    }),
  };
  for (const route of routes) {
    const path = `/v1${route.path.replaceAll(/:(\w+)/g, '{$1}')}`;
    (paths[path] ??= {})[route.method] = operationOf(route);
  }

  return {
    openapi: '3.1.0',
    info: { title: 'Restante', version: '1', description },
    security: [{ token: [] }],
    paths,
    components: { schemas, securitySchemes: { token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } } },
  };
}
