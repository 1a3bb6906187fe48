import { expect, test } from 'vitest';
import { connected, playServerForClients } from './played-client.ts';

playServerForClients();

const page = { messages: [], more: false };

test('searches by HTTP, in all conversations or in one', async () => {
  const asked: string[] = [];
  const fetch = async (url: unknown): Promise<Response> => {
    asked.push(String(url).replace(/^.*\/v1/, ''));
    return Response.json(page);
  };
  const { client } = await connected({ fetch }, { features: ['search'] });
  expect(await client.search('two words', { limit: 5, from: 'bob' })).toEqual(page);
  expect(await client.conversation('c').search('中文')).toEqual(page);
  expect(asked).toEqual(['/search?q=two+words&limit=5&from=bob', '/search?q=%E4%B8%AD%E6%96%87&conversation=c']);
});

test('rejects where the server has no search', async () => {
  const { client } = await connected();
  await expect(client.search('words')).rejects.toMatchObject({ code: 'not_found' });
});
