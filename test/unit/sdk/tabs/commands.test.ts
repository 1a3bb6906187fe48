import { expect, test, vi } from 'vitest';
import type { Acts } from '../../../../sdk/src/client/acts.ts';
import { Refusal } from '../../../../sdk/src/refusal.ts';
import { ConnectionLost } from '../../../../sdk/src/requests.ts';
import type { Note } from '../../../../sdk/src/tabs/channel.ts';
import { createCommands } from '../../../../sdk/src/tabs/commands.ts';

type Done = Note & { type: 'done' };

function play(leader: 'this' | 'other' | 'nobody') {
  const posted: Note[] = [];
  const calls: { act: string; args: unknown[]; resolve(value: unknown): void; reject(error: Error): void }[] = [];
  const act =
    (name: string) =>
    (...args: unknown[]) =>
      new Promise((resolve, reject) => calls.push({ act: name, args, resolve, reject }));
  const acts = Object.fromEntries(['fillNewest', 'ask', 'insist'].map((name) => [name, act(name)])) as unknown as Acts;
  const at = { leader };
  let asked = 0;
  const commands = createCommands({
    acts,
    leader: () => at.leader,
    post: (note) => void posted.push(note),
    asked: () => void asked++,
  });
  const told = (note: Note & { type: 'do' | 'done' }, from = 'other'): void => commands.take({ ...note, from });
  return { at, posted, calls, commands, told, asked: () => asked };
}

test('a tab that leads does its own commands', async () => {
  const { calls, commands, posted } = play('this');
  const done = commands.acts.fillNewest('c');
  expect(calls).toMatchObject([{ act: 'fillNewest', args: ['c'] }]);
  calls[0]!.resolve(undefined);
  await done;
  expect(posted).toEqual([]);
});

test('a command is repeated with its id until it is answered, and one that is done once is rejected', async () => {
  const { at, posted, commands, told } = play('nobody');
  const filled = commands.acts.fillNewest('c');
  const asked = commands.acts.ask({ type: 'members' });
  expect(posted).toEqual([]);
  at.leader = 'other';
  commands.leaderChanged();
  const first = [...posted];
  expect(first).toEqual([
    { type: 'do', id: 1, act: 'fillNewest', args: ['c'] },
    { type: 'do', id: 2, act: 'ask', args: [{ type: 'members' }] },
  ]);
  commands.leaderChanged();
  await expect(asked).rejects.toBeInstanceOf(ConnectionLost);
  expect(posted.slice(2)).toEqual(first.slice(0, 1));
  told({ type: 'done', id: 1, to: 'me' });
  await filled;
  commands.leaderChanged();
  expect(posted).toHaveLength(3);
});

test('a refusal reaches the tab that asked as one', async () => {
  const { commands, told } = play('other');
  const asked = commands.acts.ask({ type: 'members' });
  const error = { name: 'Refusal', message: 'not now', code: 'retry_later', retryable: true, retryAfterMs: 9 };
  told({ type: 'done', id: 1, to: 'me', error });
  await expect(asked).rejects.toEqual(new Refusal('retry_later', 'not now', { retryAfterMs: 9 }));
});

test('a leader works on a command once, and answers it', async () => {
  const { calls, posted, told } = play('this');
  for (let times = 0; times < 2; times++) told({ type: 'do', id: 7, act: 'insist', args: [{ type: 'reads' }] });
  expect(calls).toHaveLength(1);
  calls[0]!.resolve({ type: 'reads' });
  await vi.waitFor(() => expect(posted).toEqual([{ type: 'done', id: 7, to: 'other', value: { type: 'reads' } }]));
});

test('what fails because the tab no longer leads is no answer', async () => {
  const { calls, posted, commands, told } = play('this');
  const own = commands.acts.fillNewest('c');
  told({ type: 'do', id: 7, act: 'fillNewest', args: ['d'] });
  commands.leaderChanged();
  for (const { reject } of calls.slice(0, 2)) reject(new Error('the client is idle'));
  // Its own is asked again, here of itself.
  expect(calls).toHaveLength(3);
  calls[2]!.resolve(undefined);
  await own;
  expect(posted).toEqual([]);
});

test.each(['erase', 'constructor', '__proto__'])('an act that does not exist is refused: %s', async (act) => {
  const { posted, told } = play('this');
  told({ type: 'do', id: 1, act, args: [] });
  await vi.waitFor(() => expect(posted).toHaveLength(1));
  expect((posted[0] as Done).error?.message).toBe(`there is no act ${act}`);
});

test('at most 200 commands of a tab are in flight, on both sides', async () => {
  const follower = play('other');
  const all = Array.from({ length: 201 }, () => follower.commands.acts.fillNewest('c'));
  await expect(all.at(-1)).rejects.toMatchObject({ code: 'rate_limited', retryable: true });
  expect(follower.posted).toHaveLength(200);
  const leader = play('this');
  for (let id = 1; id <= 201; id++) leader.told({ type: 'do', id, act: 'fillNewest', args: [] });
  await vi.waitFor(() => expect(leader.posted.at(-1)).toMatchObject({ type: 'done', id: 201 }));
  expect((leader.posted.at(-1) as Done).error?.code).toBe('rate_limited');
  expect(leader.calls).toHaveLength(200);
});

test('a closed client rejects what waits and what comes', async () => {
  const { commands } = play('nobody');
  const before = commands.acts.fillNewest('c');
  commands.close();
  await expect(before).rejects.toThrow('closed');
  await expect(commands.acts.fillNewest('c')).rejects.toThrow('closed');
});
