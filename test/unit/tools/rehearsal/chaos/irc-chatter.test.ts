import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readChatter } from '../../../../../tools/rehearsal/chaos/irc-chatter.ts';
import { createRandom } from '../../../../../tools/rehearsal/irc/random.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'restante-irc-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const log = [
  '[09:00] <ann> good morning',
  '=== bob [~b@host] has joined #somewhere',
  '[09:01] <bob> hello',
  '=== ann [~a@host] has left #somewhere []',
  '[09:02] <cid> is anybody here?',
  '[09:03] <dot> no',
].join('\n');

test('says nothing where there is no log', () => {
  expect(readChatter(join(folder, 'absent'), ['u1', 'u2'], createRandom(1))).toBeNull();
  expect(readChatter(folder, ['u1', 'u2'], createRandom(1))).toBeNull();
});

test('lets nobody speak or leave who has not joined, and never more members than there are users', () => {
  writeFileSync(join(folder, 'day.txt'), log);
  const users = ['u1', 'u2', 'u3'];
  for (let seed = 1; seed <= 20; seed++) {
    const next = readChatter(folder, users, createRandom(seed))!;
    const members = new Set<string>();
    const said = new Set<string>();
    for (let count = 0; count < 60; count++) {
      const step = next();
      expect(users).toContain(step.user);
      if (step.type === 'join') {
        expect(members.has(step.user)).toBe(false);
        members.add(step.user);
      } else {
        expect(members.has(step.user)).toBe(true);
        if (step.type === 'leave') members.delete(step.user);
        else said.add(step.text);
      }
    }
    expect(said).toEqual(new Set(['good morning', 'hello', 'is anybody here?', 'no']));
  }
});
