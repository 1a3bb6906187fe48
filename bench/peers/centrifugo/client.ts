/**
 * A user of Centrifugo, by its JSON protocol: subscribed to a channel of its own, with recovery. It publishes into the
 * channel of its partner; the id of that command is the number of the message.
 */
import { signToken } from '../../../tools/harness/sign-token.ts';
import { messageBody, readStamp, type Stamp } from '../../frames.ts';
import { openSocket, textFrame } from '../../socket.ts';
import type { ConnectPeerUser } from '../peer.ts';

export const namespace = 'inbox';
const channelOf = (user: string): string => `${namespace}:${user}`;
/** Numbers of messages begin at 0, and an id of 0 means none. */
const firstId = 10;
const tokenSeconds = 3600;
const pong = textFrame('{}');

export const connectCentrifugo: ConnectPeerUser = async (options) => {
  const { port, authSecret, user, partner, onDelivered, onAccepted, onRefused, onLost } = options;
  const ready = Promise.withResolvers<void>();

  /** One reply or push; a frame has one a line. */
  const handle = (line: string, stamps: Stamp[]): void => {
    if (line.startsWith('{"push"')) {
      const stamp = readStamp(line);
      if (stamp) stamps.push(stamp);
      return;
    }
    if (line === '{}') return connection.write(pong);
    const { id = 0, error } = JSON.parse(line) as { id?: number; error?: { code: number; message: string } };
    if (id >= firstId) {
      if (error === undefined) onAccepted(id - firstId);
      else onRefused(id - firstId, error.message);
    } else if (error !== undefined) ready.reject(new Error(`Centrifugo said ${line}`));
    else if (line.includes('"subscribe"')) ready.resolve();
  };

  const connection = await openSocket({
    port,
    path: '/connection/websocket',
    onTexts: (texts) => {
      const stamps: Stamp[] = [];
      for (const text of texts) for (const line of text.split('\n')) if (line !== '') handle(line, stamps);
      if (stamps.length > 0) onDelivered(stamps);
    },
    onLost: (reason) => {
      const error = new Error(`${user} lost its connection: ${reason}`);
      ready.reject(error);
      onLost(error);
    },
  });
  const token = signToken(authSecret, { user, ttlSeconds: tokenSeconds });
  connection.write(
    textFrame(JSON.stringify({ id: 1, connect: { token } })) +
      textFrame(JSON.stringify({ id: 2, subscribe: { channel: channelOf(user) } })),
  );
  await ready.promise;
  const channel = channelOf(partner);
  return {
    send: (stamps) => {
      let frames = '';
      for (const { number, sentUs } of stamps)
        frames += textFrame(
          `{"id":${number + firstId},"publish":{"channel":"${channel}","data":"${messageBody(number, sentUs)}"}}`,
        );
      connection.write(frames);
    },
    close: connection.close,
  };
};
