import type { Accepted, Frame } from '../wire.ts';
import type { OutboxEntry } from './entry.ts';

/** The frame of an entry. Without `after`, which only the moment of its sending knows. */
export const frameOf = (entry: OutboxEntry): Frame => {
  const { type, lane, to, clientId, kind, body, class: messageClass, level, target } = entry;
  const where = to === undefined ? { conversation: lane } : { to };
  const common = { ...where, clientId, ...(level === undefined ? {} : { level }) };
  if (type === 'send') return { type, ...common, kind, body, class: messageClass };
  return { type, ...common, ...target!, ...(target!.action === 'edit' ? { body } : {}) };
};

/** The place of what was accepted. An amendment has a seq of its own and no id here. */
export function answerOf(frame: Frame): Accepted['message'] {
  if (frame['message'] !== undefined) return frame['message'] as Accepted['message'];
  const { conversation, amendSeq, at } = frame as unknown as { conversation: string; amendSeq: number; at: number };
  return { id: '', conversation, seq: amendSeq, at };
}
