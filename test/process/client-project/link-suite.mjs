/**
 * What a connection must be able to do, in plain JavaScript for every runtime: run by client-runtimes.test.ts with the
 * address of a gateway, and two users with their tokens. Prints `ok` at the end.
 */
import { createLink } from 'restante-client/link';

const [url, aliceName, aliceToken, bobName, bobToken] = process.argv.slice(2);
const webSocket = globalThis.WebSocket ?? (await import('ws')).WebSocket;

function open(device, getToken, mode) {
  const waiting = [];
  const states = [];
  const notify = () => {
    for (const one of waiting.splice(0)) one();
  };
  const frames = [];
  const link = createLink({
    url,
    getToken,
    device,
    webSocket,
    hello: () => ({ mode }),
    events: {
      status: ({ state }) => {
        states.push(state);
        notify();
      },
      frame: (frame) => {
        frames.push(frame);
        notify();
      },
    },
  });
  const until = async (found) => {
    for (;;) {
      const result = found();
      if (result) return result;
      await new Promise((resolve) => waiting.push(resolve));
    }
  };
  link.connect();
  return { link, frames, states, until };
}

function expect(is, what) {
  if (!is) throw new Error(what);
}

const alice = open('one', () => aliceToken, 'push');
const bob = open('two', async () => bobToken, 'push');
await Promise.all([alice, bob].map(({ link, until }) => until(() => link.status.state === 'connected')));

const sent = (clientId) => ({ type: 'send', clientId, to: bobName, kind: 'text', body: { text: 'Grüße 你好 🙂' } });
const { message } = await alice.link.insist(() => sent('one'));
const delivered = await bob.until(() =>
  bob.frames
    .flatMap((frame) => (frame.type === 'deliver' ? frame.items : []))
    .find((item) => item.message.id === message.id),
);
expect(delivered.message.body.text === 'Grüße 你好 🙂', 'the text is another one');
const again = await alice.link.insist(() => sent('one'));
expect(again.duplicate === true && again.message.id === message.id, 'a repeated send made another message');

const page = await bob.link.ask({ type: 'history', to: aliceName });
expect(
  page.messages.some(({ id }) => id === message.id),
  'history lacks the message',
);
const refused = await bob.link.ask({ type: 'history', to: aliceName, before: 2, after: 1 }).catch((error) => error);
expect(refused.code === 'bad_request', `a wrong request was answered with ${JSON.stringify(refused)}`);

bob.link.disconnect();
await bob.until(() => bob.link.status.state === 'idle');
bob.link.connect();
await bob.until(() => bob.states.filter((state) => state === 'connected').length === 2);

const stranger = open('three', () => 'no token', 'push');
await stranger.until(() => stranger.link.status.state === 'closed');
for (const { link } of [alice, bob, stranger]) link.close();
console.log('ok');
