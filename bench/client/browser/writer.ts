import { createLink } from '../../../sdk/src/link/link.ts';
import type { Cluster } from '../../../tools/harness/local-cluster.ts';

/** A user in this process, who writes to those in the browser. */
export type Writer = {
  /** Resolves when the server has accepted it. */
  write(to: string, text: string): Promise<void>;
  close(): void;
};

/** Resolves when it is connected. */
export async function openWriter(cluster: Cluster, user: string): Promise<Writer> {
  let opened = (): void => {};
  const open = new Promise<void>((resolve) => (opened = resolve));
  const link = createLink({
    url: cluster.url,
    getToken: () => cluster.token(user),
    device: 'writer',
    events: { open: () => opened() },
  });
  link.connect();
  await open;
  let count = 0;
  return {
    async write(to, text) {
      const frame = { type: 'send', clientId: `w${++count}`, to, kind: 'text', body: { text } };
      await link.insist(() => frame);
    },
    close: () => link.close(),
  };
}

/** How many sends of a conversation are on the way at once. */
const atOnce = 32;

/** So many users write so many messages each. Resolves with their names when all were accepted. */
export async function fillInbox(
  cluster: Cluster,
  to: string,
  { writers, messages }: { writers: number; messages: number },
): Promise<string[]> {
  const names = Array.from({ length: writers }, (_, index) => `${to}_writer_${index}`);
  for (const name of names) {
    const writer = await openWriter(cluster, name);
    for (let first = 1; first <= messages; first += atOnce) {
      const numbers = Array.from({ length: Math.min(atOnce, messages - first + 1) }, (_, index) => first + index);
      await Promise.all(numbers.map((number) => writer.write(to, `message ${number} ${'x'.repeat(80)}`)));
    }
    writer.close();
  }
  return names;
}
