import { createClient, type Message } from 'restante-client';
import { audit } from 'restante-client/audit';
import { indexedDb } from 'restante-client/indexeddb';
import { fakeClock, playedServer } from 'restante-client/testing';

/** The chat of the README, compiled against the installed package by client-package.test.ts. */
const client = createClient({
  url: 'wss://chat.example.com',
  getToken: async ({ reason, signal }) => (await fetch(`/token?${reason}`, { signal })).text(),
  storage: indexedDb(),
});
await client.connect();

const chat = client.direct('bob');
chat.open();
chat.messages.subscribe(() => {
  const lines = chat.messages.get().items.map((item) => {
    if ('hole' in item) return `(messages ${item.hole.fromSeq} to ${item.hole.toSeq})`;
    return `${item.sender}: ${JSON.stringify(item.body)} ${item.status}`;
  });
  document.body.innerText = lines.join('\n');
});
chat.send({ text: 'Hello Bob' });

const checked = audit(client);
for await (const message of chat.stream({ after: 0 }))
  console.log((message satisfies Message).body, checked.violations);
createClient({ url: 'ws://x', getToken: () => 't', clock: fakeClock(), webSocket: playedServer().webSocket });
