/**
 * A user of Socket.IO on the bare socket of the load generator: Engine.IO 4 over a WebSocket. An event is
 * `42<id>["send",…]`, its acknowledgement `43<id>[…]`; the id is the number of the message.
 */
import { messageBody, readStamp, type Stamp } from '../../frames.ts';
import { openSocket, textFrame } from '../../socket.ts';
import type { ConnectPeerUser } from '../peer.ts';

const path = '/socket.io/?EIO=4&transport=websocket';
const pong = textFrame('3');

export const connectSocketIo: ConnectPeerUser = async ({ port, user, partner, onDelivered, onAccepted, onLost }) => {
  const ready = Promise.withResolvers<void>();
  const opened = Promise.withResolvers<void>();
  const handle = (text: string, stamps: Stamp[]): void => {
    if (text.startsWith('42')) {
      const stamp = readStamp(text);
      if (stamp) stamps.push(stamp);
    } else if (text.startsWith('43')) onAccepted(Number(text.slice(2, text.indexOf('['))));
    else if (text === '2') connection.write(pong);
    else if (text.startsWith('0')) opened.resolve();
    else if (text.startsWith('40')) ready.resolve();
    else ready.reject(new Error(`Socket.IO said ${text}`));
  };
  const connection = await openSocket({
    port,
    path,
    onTexts: (texts) => {
      const stamps: Stamp[] = [];
      for (const text of texts) handle(text, stamps);
      if (stamps.length > 0) onDelivered(stamps);
    },
    onLost: (reason) => {
      const error = new Error(`${user} lost its connection: ${reason}`);
      opened.reject(error);
      ready.reject(error);
      onLost(error);
    },
  });
  await opened.promise;
  connection.write(textFrame(`40${JSON.stringify({ user })}`));
  await ready.promise;
  return {
    send: (stamps) => {
      let frames = '';
      for (const { number, sentUs } of stamps) {
        frames += textFrame(`42${number}["send","${partner}","${messageBody(number, sentUs)}",${number}]`);
      }
      connection.write(frames);
    },
    close: connection.close,
  };
};
