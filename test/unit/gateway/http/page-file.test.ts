import { Hono } from 'hono';
import { expect, test } from 'vitest';
import type { HttpEnv } from '../../../../gateway/http/context.ts';
import { pageFile } from '../../../../gateway/http/page-file.ts';

const look = new URL('../../../../gateway/http/look.css', import.meta.url);
const app = new Hono<HttpEnv>().get('/look.css', pageFile(look, { 'x-own': 'yes' }));

test('is served with its type, and asked for again each time', async () => {
  const answer = await app.request('/look.css');
  expect(answer.status).toBe(200);
  expect(await answer.text()).toMatch(/--accent: light-dark/);
  expect(Object.fromEntries(answer.headers)).toMatchObject({
    'content-type': 'text/css; charset=utf-8',
    'cache-control': 'no-cache',
    'x-own': 'yes',
  });
});

test.each([(etag: string) => etag, (etag: string) => `"other", W/${etag}`])(
  'a browser that has it is told so (%#)',
  async (header) => {
    const etag = (await app.request('/look.css')).headers.get('etag')!;
    const answer = await app.request('/look.css', { headers: { 'if-none-match': header(etag) } });
    expect(answer.status).toBe(304);
    expect(await answer.text()).toBe('');
    expect(answer.headers.get('etag')).toBe(etag);
  },
);

test('a browser that has another one gets this one', async () => {
  const answer = await app.request('/look.css', { headers: { 'if-none-match': '"other"' } });
  expect(answer.status).toBe(200);
});

test('a file of an unknown type is refused when the gateway starts', () => {
  expect(() => pageFile(new URL(import.meta.url))).toThrow(/content type/);
});
