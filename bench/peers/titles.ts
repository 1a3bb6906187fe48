import type { ComparedName } from './systems.ts';

/** What charts and pages call a system. */
export const titles: Record<ComparedName, string> = {
  restante: 'Restante',
  echo: 'bare ws echo',
  'socket.io': 'Socket.IO',
  'socket.io-store': 'Socket.IO, a row each',
  nats: 'NATS JetStream',
  mosquitto: 'mosquitto, QoS 1',
  centrifugo: 'Centrifugo',
  ejabberd: 'ejabberd',
  'ejabberd-mam': 'ejabberd, archive',
};
