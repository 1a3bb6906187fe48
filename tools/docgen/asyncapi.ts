import { type Example, firstFrame } from './examples.ts';
import { clientTypes, frameSchemas, nameOf, serverTypes } from './schemas.ts';

/** The purpose of each frame, and for client frames the frames that answer them. */
const clientSummaries: Record<string, { summary: string; answers: string[] }> = {
  hello: { summary: 'Says who connects, within 5 s of the upgrade.', answers: ['welcome', 'error'] },
  send: { summary: 'Sends a message.', answers: ['accepted', 'error'] },
  amend: { summary: 'Recalls or edits a message.', answers: ['amended', 'error'] },
  received: {
    summary: 'The device has everything up to a position. Has no answer unless it is refused.',
    answers: ['error'],
  },
  sync: { summary: 'Asks for a page of the inbox.', answers: ['page', 'error'] },
  history: { summary: 'Asks for a page of a conversation.', answers: ['history', 'error'] },
  read: { summary: 'The user has read up to a seq.', answers: ['read', 'error'] },
  reads: { summary: 'Asks how far the user has read conversations.', answers: ['reads', 'error'] },
  presence: {
    summary: 'Asks who is online, and begins or ends watching.',
    answers: ['presence', 'error'],
  },
  typing: { summary: 'The user types, or stops. Has no answer unless it is refused.', answers: ['error'] },
  receipts: { summary: 'Asks how far others have received and read.', answers: ['receipts', 'error'] },
  reauth: { summary: 'Goes on with a newer token.', answers: ['ok', 'error'] },
  ping: { summary: 'Asks for the head of the inbox.', answers: ['pong', 'error'] },
};

const serverSummaries: Record<string, string> = {
  welcome: 'The connection is open.',
  accepted: 'The message is stored under its seq.',
  amended: 'The amendment in force.',
  deliver: 'Items of the inbox.',
  gap: 'Seqs that the inbox does not hold and history does.',
  page: 'A page of the inbox.',
  history: 'A page of a conversation.',
  read: 'The read seq now in force; without `re` another device has moved it.',
  reads: 'How far the user has read conversations.',
  settings: 'The user has changed its settings.',
  presence: 'Who is online; without `re`, what has changed.',
  typing: 'Somebody types, or stops.',
  receipt: 'Somebody has received or read what this user wrote.',
  receipts: 'How far the other members have received and read a conversation.',
  ok: 'The newer token counts.',
  pong: 'The head of the inbox.',
  drain: 'This gateway stops: finish, close and come back.',
  error: 'A request was refused, or nothing can go on.',
};

function told<Told>(table: Record<string, Told>, type: string): Told {
  const found = table[type];
  if (found === undefined) throw new Error(`tools/docgen/asyncapi.ts does not say what the frame ${type} is for`);
  return found;
}

const ref = (place: string) => ({ $ref: `#/${place}` });
const channelMessage = (direction: 'client' | 'server', type: string) =>
  ref(`channels/socket/messages/${nameOf(direction, type)}`);

/** The WebSocket as AsyncAPI 3.0, from the client's side: it sends client frames and receives server frames. */
export function asyncApi(version: string, description: string, examples: readonly Example[]): object {
  const message = (direction: 'client' | 'server', type: string) => {
    const example = firstFrame(examples, direction, type);
    return {
      name: type,
      title: type,
      summary: direction === 'client' ? told(clientSummaries, type).summary : told(serverSummaries, type),
      contentType: 'application/json',
      payload: ref(`components/schemas/${nameOf(direction, type)}`),
      ...(example === undefined ? {} : { examples: [{ payload: example }] }),
    };
  };
  const all = [
    ...clientTypes.map((type) => ['client', type] as const),
    ...serverTypes.map((type) => ['server', type] as const),
  ];
  const answered = new Set(Object.values(clientSummaries).flatMap(({ answers }) => answers));
  const unasked = serverTypes.filter((type) => !answered.has(type) || type === 'error');

  return {
    asyncapi: '3.0.0',
    info: { title: 'Restante', version, description, license: { name: 'MIT' } },
    defaultContentType: 'application/json',
    servers: {
      local: { host: '127.0.0.1:8080', protocol: 'ws', description: 'What `npm start` brings up.' },
    },
    channels: {
      socket: {
        address: '/v1/ws',
        title: 'One device of one user',
        description: 'JSON text frames, subprotocol `restante.v1`. The token is in the first frame, not in the URL.',
        messages: Object.fromEntries(
          all.map(([direction, type]) => {
            const name = nameOf(direction, type);
            return [name, ref(`components/messages/${name}`)];
          }),
        ),
        bindings: { ws: { method: 'GET', bindingVersion: '0.1.0' } },
      },
    },
    operations: {
      ...Object.fromEntries(
        clientTypes.map((type) => [
          type,
          {
            action: 'send',
            channel: ref('channels/socket'),
            summary: told(clientSummaries, type).summary,
            messages: [channelMessage('client', type)],
            reply: {
              channel: ref('channels/socket'),
              messages: told(clientSummaries, type).answers.map((answer) => channelMessage('server', answer)),
            },
          },
        ]),
      ),
      unasked: {
        action: 'receive',
        channel: ref('channels/socket'),
        summary: 'What comes without a request.',
        messages: unasked.map((type) => channelMessage('server', type)),
      },
    },
    components: {
      messages: Object.fromEntries(all.map(([direction, type]) => [nameOf(direction, type), message(direction, type)])),
      schemas: frameSchemas('#/components/schemas/'),
    },
  };
}
