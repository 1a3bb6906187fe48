import { Hono } from 'hono';
import type { HttpEnv, HttpParts } from './context.ts';

export function v1Routes(_parts: HttpParts): Hono<HttpEnv> {
  return new Hono<HttpEnv>();
}
