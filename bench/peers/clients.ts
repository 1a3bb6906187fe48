/** How a user of each peer connects: for the load generator. */
import { connectCentrifugo } from './centrifugo/client.ts';
import { connectXmpp } from './ejabberd/client.ts';
import { connectMqtt } from './mosquitto/client.ts';
import { connectNats } from './nats/client.ts';
import type { ConnectPeerUser } from './peer.ts';
import { connectSocketIo } from './socket.io/client.ts';

export const peerClients = {
  'socket.io': connectSocketIo,
  'socket.io-store': connectSocketIo,
  nats: connectNats,
  mosquitto: connectMqtt,
  centrifugo: connectCentrifugo,
  ejabberd: connectXmpp,
  'ejabberd-mam': connectXmpp,
} satisfies Record<string, ConnectPeerUser>;

export type PeerName = keyof typeof peerClients;

export const isPeer = (name: string): name is PeerName => Object.hasOwn(peerClients, name);
