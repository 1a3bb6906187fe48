import { expect } from 'vitest';
import { type Cluster } from '../../support/cluster.ts';
import { type Api, apiOf, type Conversation, type Reply } from '../../support/http-client.ts';

export type Person = { user: string; api: Api };
export function people(cluster: Cluster, ...names: string[]): Person[] {
  return names.map((name) => {
    const user = cluster.user(name);
    return { user, api: apiOf(cluster, cluster.token(user)) };
  });
}

export const conversationIn = (reply: Reply): Conversation => reply.body as unknown as Conversation;
export const listed = async (api: Api, query = ''): Promise<Conversation[]> =>
  (await api('GET', `/conversations${query}`)).body['conversations'] as Conversation[];
export const usersOf = ({ members }: Conversation): string[] => members!.map(({ user }) => user).sort();
export async function create(api: Api, fields: object): Promise<Conversation> {
  const reply = await api('POST', '/conversations', fields);
  expect(reply.status).toBe(201);
  return conversationIn(reply);
}
