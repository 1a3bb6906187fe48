import type { Socket } from 'node:net';
import { textFrames } from '../session/text-frames.ts';
import type { SocketHolder } from './device-socket.ts';

type Gathered = { holder: Pick<SocketHolder, 'faulted'>; texts: string[]; length: number };

/** What was written in this turn of the event loop, by socket. */
const gathered = new Map<Socket, Gathered>();

function writeOut(raw: Socket, { holder, texts }: Gathered): void {
  try {
    if (raw.writable) raw.write(textFrames(texts));
  } catch (thrown) {
    holder.faulted(thrown);
  }
}

function writeAll(): void {
  const all = [...gathered];
  gathered.clear();
  for (const [raw, one] of all) writeOut(raw, one);
}

/**
 * Writes a text frame. All frames of one socket in one turn of the event loop are one chunk of bytes and one system
 * call: under load that saves both, and a single frame is not delayed. ws would make two chunks of each. It compresses
 * none and so holds none back, which keeps the order of frames.
 */
export function writeGathered(holder: Gathered['holder'], raw: Socket, text: string): void {
  const found = gathered.get(raw);
  if (found !== undefined) {
    found.texts.push(text);
    found.length += text.length;
    return;
  }
  if (gathered.size === 0) process.nextTick(writeAll);
  gathered.set(raw, { holder, texts: [text], length: text.length });
}

/** Writes now what waits for the end of the turn: before anything that does not go through here. */
export function flushGathered(raw: Socket): void {
  const found = gathered.get(raw);
  if (found === undefined) return;
  gathered.delete(raw);
  writeOut(raw, found);
}

/** Characters that wait for the end of the turn. */
export const gatheredLength = (raw: Socket): number => gathered.get(raw)?.length ?? 0;
