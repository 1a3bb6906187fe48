import type { Message } from '../../shared/model/model.ts';

/** A text of bob in conversation `c`, whose body is its seq. */
export const plainMessage = (seq: number, id = `${seq}-0`): Message => ({
  id,
  conversation: 'c',
  seq,
  at: 1,
  sender: 'bob',
  clientId: `k${seq}`,
  kind: 'text',
  body: seq,
  class: 'normal',
});
