import { serveBare } from './bare-server.ts';

/**
 * What a large group is compared with: every `send` is turned into the frame that the others would get, and written to
 * all sockets but its sender's. The frame is turned into bytes once, not for each socket. It stores nothing, orders
 * nothing, and asks nobody who a member is: a bound, not a rival.
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
