import { serveBare } from './bare-server.ts';

/**
 * The baseline for large groups. Every `send` becomes the frame that the others would get, and is written to all
 * sockets but its sender's. The frame is serialized once, not for each socket. It stores nothing, orders nothing and
 * checks no membership: a bound, not a rival.
 */
type Send = { clientId: string; conversation: string; kind: string; body: unknown };

let seq = 0;

function deliverFrame({ clientId, conversation, kind, body }: Send): Buffer {
  seq += 1;
  const message = {
    id: `bare-${seq}`,
    conversation,
    seq,
    sender: 'm000000',
    clientId,
    kind,
    body,
    at: Date.now(),
    class: 'normal',
  };
  return Buffer.from(JSON.stringify({ type: 'deliver', items: [{ message }] }));
}

serveBare((text, from, all) => {
  const frame = deliverFrame(JSON.parse(text) as Send);
  for (const other of all) if (other !== from) other.send(frame, { binary: false });
});
