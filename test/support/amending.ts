import type { Cluster } from './cluster.ts';
import type { Device } from './device.ts';
import type { Frame, Message } from './frames.ts';

/** Messages that are recalled and edited. */

let sends = 0;

/** Sends a message, and resolves its seq. */
export async function say(device: Device, target: object, body: unknown, more: object = {}): Promise<number> {
  const send = { type: 'send', clientId: `say-${++sends}`, ...target, kind: 'text', body, ...more };
  return (await device.request(send, 'accepted')).message.seq;
}

export const edit = (device: Device, target: object, seq: number, body: unknown, more: object = {}) =>
  device.request({ type: 'amend', ...target, seq, action: 'edit', body, ...more }, 'amended');

export const recall = (device: Device, target: object, seq: number, more: object = {}) =>
  device.request({ type: 'amend', ...target, seq, action: 'recall', ...more }, 'amended');

/** The code of the refusal of an amend. */
export async function refused(device: Device, target: object, seq: number, amend: object): Promise<string> {
  const { code } = await device.request({ type: 'amend', ...target, seq, ...amend }, 'error');
  return code;
}

/** Every message of a conversation that the device may see, oldest first, as it reads now. */
export async function readAll(device: Device, target: object): Promise<Message[]> {
  const all: Message[] = [];
  for (let after = 0; ;) {
    const page: Frame<'history'> = await device.request({ type: 'history', ...target, after, limit: 100 }, 'history');
    all.push(...page.messages);
    if (!page.more) return all;
    after = page.messages.at(-1)!.seq;
  }
}

/** A group of users, of whom the first creates it. */
export async function groupOf(cluster: Cluster, ...members: string[]): Promise<string> {
  const id = cluster.user('group');
  const { status } = await cluster.http(cluster.token(members[0]!), 'POST', '/conversations', { id, members });
  if (status !== 201) throw new Error(`the group was answered with ${status}`);
  return id;
}
