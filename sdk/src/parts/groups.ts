import type { BaseConversation, GroupClient, GroupConversation } from '../client/api.ts';
import type { Part } from '../client/part.ts';

/** Groups are made, named, and joined and left by their members. */
export const groups: Part<GroupClient<BaseConversation>, GroupConversation> = (inside) => ({
  client: {
    async createGroup(group) {
      const { id, name } = (await inside.http('POST', '/conversations', group)) as { id: string; name: string | null };
      await inside.acts.describe(id, { name });
      return inside.conversations.of(id);
    },
  },
  conversation({ id, path }) {
    const member = async (method: string, user: string): Promise<void> =>
      void (await inside.http(method, `${path}/members/${encodeURIComponent(user)}`));

    return {
      methods: {
        async members() {
          const all: { user: string; joinedSeq: number }[] = [];
          for (let after = ''; ;) {
            const query = after === '' ? '' : `&after=${encodeURIComponent(after)}`;
            const page = (await inside.http('GET', `${path}/members?limit=200${query}`)) as {
              members: typeof all;
              next?: string;
            };
            all.push(...page.members);
            if (page.next === undefined || page.members.length === 0) return all;
            after = page.next;
          }
        },
        add: (user) => member('PUT', user),
        remove: (user) => member('DELETE', user),
        leave: () => member('DELETE', inside.writer.meta.user ?? ''),
        async rename(name) {
          await inside.http('PATCH', path, { name });
          await inside.acts.describe(id, { name });
        },
      },
    };
  },
});
