import { z } from 'zod';
import type { ErrorCode } from '../../shared/model/errors.ts';
import type { OwnBudget } from '../../shared/model/rate-limits.ts';
import type { Principal } from '../auth/authenticate.ts';
import type { FeatureName } from '../features.ts';

/** The answer of a handler. `text` is JSON, so that messages are passed on byte for byte; '' with 204. */
export type Answer = { status: AnswerStatus; text: string };
export type AnswerStatus = 200 | 201 | 204;

export const answer = (value: unknown, status: 200 | 201 = 200): Answer => ({ status, text: JSON.stringify(value) });
export const answerText = (text: string, status: 200 | 201 = 200): Answer => ({ status, text });
export const nothing: Answer = { status: 204, text: '' };

type Ask<Params, Query, Body> = { principal: Principal; params: Params; query: Query; body: Body };

/**
 * One route under /v1. The same schemas check requests and describe them in openapi.json, so the two cannot differ.
 * `refuses` lists the error codes of this route besides those of every route.
 */
export type Route = {
  method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  /** Below /v1, in Hono's spelling: `/conversations/:id`. */
  path: string;
  /** The operation id in openapi.json. */
  name: string;
  summary: string;
  params: z.ZodObject;
  query: z.ZodObject;
  body: z.ZodType | null;
  /**
   * The budget that is charged before the request is read. Default: `read` for a GET, otherwise `frame`. null: another
   * budget is charged later, or the request must never be refused for one.
   */
  budget?: OwnBudget | null;
  /** The feature that this route belongs to: while it is not served, there is no such route. */
  feature?: FeatureName;
  /** The largest body, if it may be larger than a frame. */
  mostBodyBytes?: (by: Principal) => number;
  answers: { [Status in AnswerStatus]?: { description: string; schema?: z.ZodType } };
  refuses: readonly ErrorCode[];
  handle(ask: Ask<unknown, unknown, unknown>): Promise<Answer>;
};

type Typed<Params extends z.ZodObject, Query extends z.ZodObject, Body extends z.ZodType> = Omit<
  Route,
  'params' | 'query' | 'body' | 'handle'
> & {
  params?: Params;
  query?: Query;
  body?: Body;
  handle(ask: Ask<z.output<Params>, z.output<Query>, z.output<Body>>): Promise<Answer>;
};

const empty = z.object({});
type Empty = typeof empty;

/** Gives the handler the types of the schemas. A route leaves out the params, query or body that it does not have. */
export const route = <
  Params extends z.ZodObject = Empty,
  Query extends z.ZodObject = Empty,
  Body extends z.ZodType = z.ZodNull,
>({
  params,
  query,
  body,
  handle,
  ...rest
}: Typed<Params, Query, Body>): Route => ({
  ...rest,
  params: params ?? empty,
  query: query ?? empty,
  body: body ?? null,
  handle: handle,
});
