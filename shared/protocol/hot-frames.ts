import { levels } from '../model/levels.ts';
import { pageItems } from '../model/limits.ts';
import { idPattern, kindPattern, serverKindPrefix } from '../model/model.ts';
import type { ClientFrame } from './client-frames.ts';

/** The frames of which there are as many as messages. */
export type HotFrame = ClientFrame<'send' | 'received'>;

type Fields = Readonly<Record<string, unknown>>;

const isId = (value: unknown): boolean => typeof value === 'string' && idPattern.test(value);

/** Whether every field is known and valid by itself. */
function hasSendFields(frame: Fields): boolean {
  for (const name in frame) {
    const value = frame[name];
    switch (name) {
      case 'type':
      case 'body':
        break;
      case 'id':
      case 'clientId':
      case 'conversation':
      case 'to':
      case 'after':
        if (!isId(value)) return false;
        break;
      case 'kind':
        if (typeof value !== 'string' || !kindPattern.test(value) || value.startsWith(serverKindPrefix)) return false;
        break;
      case 'class':
        if (value !== 'normal' && value !== 'important') return false;
        break;
      case 'level':
        if (!(levels as readonly unknown[]).includes(value)) return false;
        break;
      default:
        return false;
    }
  }
  return true;
}

const isSend = (frame: Fields): boolean =>
  frame['clientId'] !== undefined &&
  frame['kind'] !== undefined &&
  frame['body'] !== undefined &&
  (frame['conversation'] === undefined) !== (frame['to'] === undefined) &&
  hasSendFields(frame);

function isReceived(frame: Fields): boolean {
  const { position } = frame;
  if (!Number.isSafeInteger(position) || (position as number) < 0) return false;
  for (const name in frame) {
    const value = frame[name];
    if (name === 'type' || name === 'position' || (name === 'id' && isId(value))) continue;
    if (name !== 'pageItems' || !Number.isSafeInteger(value)) return false;
    if ((value as number) < 1 || (value as number) > pageItems) return false;
  }
  return true;
}

/**
 * Whether a parsed JSON object is a valid `send` or `received` without unknown fields. Then it is what the schema would
 * make of it, at a fraction of the cost. Anything else is for the schema to judge.
 */
export function isHotFrame(value: object): value is HotFrame {
  const frame = value as Fields;
  switch (frame['type']) {
    case 'send':
      return isSend(frame);
    case 'received':
      return isReceived(frame);
    default:
      return false;
  }
}
