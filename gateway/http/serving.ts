import type { Context, Hono, HonoRequest } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { z } from 'zod';
import { badRequest, Refusal } from '../../shared/errors.ts';
import { faults } from '../../shared/protocol/parse.ts';
import type { HttpEnv, HttpParts } from './context.ts';
import type { Answer, Route } from './route.ts';

const json = { 'content-type': 'application/json', 'cache-control': 'no-store' };
const jsonType = /^application\/json\s*(;|$)/i;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A client that goes away in the middle of its body is no failure of the server. */
function brokenOff(thrown: unknown): never {
  throw thrown instanceof Refusal ? thrown : badRequest('the body did not come as a whole');
}

function checked(schema: z.ZodType, value: unknown): unknown {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw badRequest(faults(parsed.error.issues));
  return parsed.data;
}

/** The parameters that the route knows; one that is given twice means nothing. */
function readQuery(request: HonoRequest, names: string[]): Record<string, string> {
  const values: Record<string, string> = {};
  for (const name of names) {
    const given = request.queries(name);
    if (given === undefined) continue;
    if (given.length > 1) throw badRequest(`${name}: given more than once`);
    values[name] = given[0]!;
  }
  return values;
}

async function readJson(request: HonoRequest): Promise<unknown> {
  const type = request.header('content-type');
  if (type !== undefined && !jsonType.test(type)) throw badRequest('the body must be sent as application/json');
  if ((request.header('content-encoding') ?? 'identity') !== 'identity') throw badRequest('the body must be sent without an encoding');
  const bytes = await request.arrayBuffer().catch(brokenOff);
  try {
    return JSON.parse(utf8.decode(bytes));
  } catch {
    throw badRequest('the body is not JSON');
  }
}

const write = (context: Context, { status, text }: Answer): Response =>
  status === 204 ? context.body(null, status) : context.body(text, status, json);

/** Puts a route into the app: what does not fit its schemas is refused before its handler sees anything. */
export function serve(app: Hono<HttpEnv>, route: Route, mostBodyBytes: number, budgets: HttpParts['budgets']): void {
  const { params, query, body } = route;
  const names = Object.keys(query.shape);
  const method = route.method.toUpperCase();
  const { budget = route.method === 'get' ? 'read' : 'frame' } = route;
  if (budget !== null) {
    app.on(method, route.path, async (context, next) => {
      budgets.take(budget, context.get('principal'));
      await next();
    });
  }
  if (body !== null) {
    const maxSize = route.mostBodyBytes ?? mostBodyBytes;
    const tooLarge = (): never => {
      throw new Refusal('too_large', `the body has more than ${maxSize} bytes`);
    };
    const limited = bodyLimit({ maxSize, onError: tooLarge });
    app.on(method, route.path, (context, next) => limited(context, next).catch(brokenOff));
  }
  app.on(method, route.path, async (context) =>
    write(
      context,
      await route.handle({
        principal: context.get('principal'),
        params: checked(params, context.req.param()),
        query: checked(query, readQuery(context.req, names)),
        body: body === null ? null : checked(body, await readJson(context.req)),
      }),
    ),
  );
}
