import { afterEach, beforeEach } from 'vitest';
import WebSocket from 'ws';
import type { Link, LinkOptions, LinkStatus } from '../../../../sdk/src/link/api.ts';
import { createLink } from '../../../../sdk/src/link/link.ts';
import { type PlayedServer, playServer } from '../../../support/played-server.ts';

/** A link against a server that the test plays frame by frame, with real sockets. */

let server: PlayedServer;
let links: Link[];

export function playServerForLinks(): void {
  beforeEach(async () => {
    links = [];
    server = await playServer();
  });
  afterEach(async () => {
    for (const link of links) link.close();
    await server.close();
  });
}

export const played = (): PlayedServer => server;

export type Watched = { link: Link; statuses: LinkStatus[]; faults: string[]; frames: string[] };

export function openLink(options: Partial<LinkOptions> = {}): Watched {
  const { limits } = options;
  const statuses: LinkStatus[] = [];
  const faults: string[] = [];
  const frames: string[] = [];
  const link = createLink({
    url: server.url,
    getToken: () => 'token',
    device: 'phone',
    webSocket: WebSocket,
    random: () => 0,
    ...options,
    limits: typeof limits === 'function' ? limits : { reconnect: { minMs: 5, maxMs: 20 }, ...limits },
    events: {
      status: (status) => statuses.push(status),
      fault: (error, where) => faults.push(`${where}: ${error.message}`),
      frame: ({ type }) => frames.push(type),
      ...options.events,
    },
  });
  links.push(link);
  link.connect();
  return { link, statuses, faults, frames };
}

/** The other end stops to read and write, as a lost network does; the socket stays open. */
export const silence = (peer: { socket: WebSocket }): void => peer.socket.pause();
