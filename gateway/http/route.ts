import { z } from 'zod';
import type { ErrorCode } from '../../shared/model/errors.ts';
import type { OwnBudget } from '../../shared/model/rate-limits.ts';
import type { Principal } from '../auth/authenticate.ts';

/** What a handler answers: JSON text, so that message texts are passed on byte for byte; '' with 204. */
export type Answer = { status: AnswerStatus; text: string };
export type AnswerStatus = 200 | 201 | 204;

export const answer = (value: unknown, status: 200 | 201 = 200): Answer => ({ status, text: JSON.stringify(value) });
export const answerText = (text: string, status: 200 | 201 = 200): Answer => ({ status, text });
export const nothing: Answer = { status: 204, text: '' };

type Ask<Params, Query, Body> = { principal: Principal; params: Params; query: Query; body: Body };

/**
 * One route under /v1. The schemas check what comes in and are what openapi.json is made of, so the two cannot differ.
 * `refuses` names the codes that this route adds to those which every route may answer.
 */
export type Route = {
  method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  /** Below /v1, in Hono's spelling: `/conversations/:id`. */
  path: string;
  /** The operation's name in openapi.json. */
  name: string;
  summary: string;
  params: z.ZodObject;
  query: z.ZodObject;
  body: z.ZodType | null;
  /**
   * What a request counts as before anything of it is read: reading, if it is a GET, else a frame; null where it counts
   * elsewhere or must never be refused.
   */
  budget?: OwnBudget | null;
  /** Where a body may be larger than a frame. */
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

/** Types the handler by the schemas; a route without params, query or body leaves them out. */
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
