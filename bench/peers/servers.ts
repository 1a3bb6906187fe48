/** How the server of each peer is started: for the rounds. */
import { centrifugo } from './centrifugo/start.ts';
import type { PeerName } from './clients.ts';
import { ejabberd, ejabberdArchive } from './ejabberd/start.ts';
import { mosquitto } from './mosquitto/start.ts';
import { nats } from './nats/start.ts';
import type { Peer } from './peer.ts';
import { socketIo, socketIoStore } from './socket.io/start.ts';

export const peers: Record<PeerName, Peer> = {
  'socket.io': socketIo,
  'socket.io-store': socketIoStore,
  nats,
  mosquitto,
  centrifugo,
  ejabberd,
  'ejabberd-mam': ejabberdArchive,
};
