import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type ChaosEvent, createRecording, readRecording } from '../../../../../tools/rehearsal/chaos/recording.ts';

let dir: string;
let path: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'restante-recording-'));
  path = join(dir, 'run.jsonl');
});
afterEach(() => rmSync(dir, { recursive: true }));

const client = { user: 'alice', device: 'phone', connection: 1 };

test('gives back every event in its order, with its line and a time that never falls', () => {
  const events: ChaosEvent[] = [
    { type: 'opened', client, url: 'ws://127.0.0.1:1' },
    { type: 'sent', client, text: '{"type":"hello"}' },
    { type: 'received', client, text: '{"body":"two\\nlines, Grüße 🎈"}' },
    { type: 'closed', client, code: 1006, reason: '', by: 'server' },
    { type: 'loss-possible', fault: 'F7a', upTo: 'accepted' },
  ];
  const recording = createRecording(path);
  for (const event of events) recording.note(event);
  recording.close();

  const read = [...readRecording(path)];
  expect(read).toMatchObject(events);
  expect(read.map(({ line }) => line)).toEqual([1, 2, 3, 4, 5]);
  expect(read.map(({ at }) => at)).toEqual(read.map(({ at }) => at).sort((a, b) => a - b));
});

test('keeps at most a bounded part in memory, and splits no character between two reads', () => {
  const recording = createRecording(path);
  const text = '🎈'.repeat(1000);
  for (let number = 0; number < 200; number++) recording.note({ type: 'sent', client, text });
  const written = readFileSync(path).length;
  recording.close();
  const all = readFileSync(path).length;
  expect(all - written).toBeLessThan(300_000);
  expect(all).toBeGreaterThan(800_000);
  const texts = new Set([...readRecording(path)].map((event) => (event as { text: string }).text));
  expect([...texts]).toEqual([text]);
});

test('leaves out a line that a killed process did not finish', () => {
  const recording = createRecording(path);
  recording.note({ type: 'healed' });
  recording.close();
  appendFileSync(path, '{"at":7,"type":"heal');
  expect([...readRecording(path)]).toMatchObject([{ type: 'healed', line: 1 }]);
});

test('leaves out what comes after its end', () => {
  const recording = createRecording(path);
  recording.note({ type: 'healed' });
  recording.close();
  recording.note({ type: 'sending-stopped' });
  recording.close();
  expect([...readRecording(path)]).toMatchObject([{ type: 'healed' }]);
});
