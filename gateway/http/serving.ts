import type { Context, Hono, HonoRequest } from 'hono';
import type { z } from 'zod';
import { badRequest } from '../../shared/model/errors.ts';
import { faults } from '../../shared/protocol/parse.ts';
import type { HttpEnv, HttpParts } from './context.ts';
import { noSuchRoute } from './errors.ts';
import { readJson } from './reading-body.ts';
import type { Answer, Route } from './route.ts';

const json = { 'content-type': 'application/json', 'cache-control': 'no-store' };

function checked(schema: z.ZodType, value: unknown): unknown {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw badRequest(faults(parsed.error.issues));
  return parsed.data;
}

/** The query parameters that the route knows. Throws `bad_request` for one that is given twice. */
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

const write = (context: Context, { status, text }: Answer): Response =>
  status === 204 ? context.body(null, status) : context.body(text, status, json);

/**
 * Adds a route to the app. A request that does not fit the budget, the size limits and the schemas is refused before
 * the handler is called.
 */
export function serve(
  app: Hono<HttpEnv>,
  route: Route,
  mostBytes: number,
  { budgets, bodies, features }: Pick<HttpParts, 'budgets' | 'bodies' | 'features'>,
): void {
  const { params, query, body, feature, budget = route.method === 'get' ? 'read' : 'frame' } = route;
  const names = Object.keys(query.shape);
  app.on(route.method.toUpperCase(), route.path, async (context) => {
    const principal = context.get('principal');
    if (budget !== null) budgets.take(budget, principal);
    if (feature !== undefined && !features.serves(feature)) return noSuchRoute();
    const hold = bodies.hold(principal);
    try {
      const asked = {
        principal,
        params: checked(params, context.req.param()),
        query: checked(query, readQuery(context.req, names)),
        body:
          body === null
            ? null
            : checked(body, await readJson(context.req, route.mostBodyBytes?.(principal) ?? mostBytes, hold)),
      };
      return write(context, await route.handle(asked));
    } finally {
      hold.end();
    }
  });
}
