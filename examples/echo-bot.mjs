// A bot that answers everybody who writes to it: node echo-bot.mjs
//
//   RESTANTE_TOKEN=…                  a token of the bot's user     STORAGE=echo-bot.db
//   RESTANTE_URL=ws://127.0.0.1:8080  the server
//
// It needs Node 22.13 or newer, and restante-client. What is written while it is down is answered when it comes back.
import { createClient } from 'restante-client';
import { sqlite } from 'restante-client/sqlite';

const { RESTANTE_TOKEN: token, RESTANTE_URL: url = 'ws://127.0.0.1:8080', STORAGE: file = 'echo-bot.db' } = process.env;
if (token === undefined) throw new Error('set RESTANTE_TOKEN to a token of the user that the bot is');

const client = createClient({ url, getToken: () => token, storage: sqlite({ file }) });

/** May be called again for the same message: the answer has an id that follows from it, so there is one answer. */
function answer({ id, conversation, sender, kind, body }) {
  // Other kinds are not for people. Two bots that answered each other's answers would never end.
  if (sender === client.user || kind !== 'text') return;
  const text = typeof body === 'string' ? body : body?.text;
  client.conversation(conversation).send({ text: `You wrote: ${text}` }, { kind: 'echo', clientId: `echo-${id}` });
}

client.on('message', ({ message, first }) => {
  if (first) answer(message);
});
client.on('failed', ({ code, message }) => console.error(`an answer was refused: ${code}: ${message}`));
client.on('fault', ({ error, where }) => console.error(`${where}: ${error.message}`));

await client.connect();
// A message may be stored here whose answer was not, because the process ended between the two.
for (const { last } of client.conversations.get()) if (last !== null) answer(last);
console.log(`${client.user} answers`);

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void client.close());
