import type { Redis } from 'ioredis';
import { orRetryLater } from '../failures.ts';
import type { Keys } from '../keys.ts';
import type { Hint } from '../push-bus.ts';
import { run } from '../scripts.ts';

/** What one call takes at most: Redis does nothing else while it runs. One frame alone may be longer. */
const most = { users: 200, recipients: 1000, characters: 100_000 };

/** Hints of one call, and their users, each with its place among the keys, from 1. */
type Call = { hints: Hint[]; places: Map<string, number>; recipients: number; characters: number };

const emptyCall = (): Call => ({ hints: [], places: new Map(), recipients: 0, characters: 0 });

const fits = ({ places, recipients, characters }: Call, { users, text }: Hint): boolean =>
  places.size + users.length <= most.users &&
  recipients + users.length <= most.recipients &&
  characters + text.length <= most.characters;

function add(call: Call, hint: Hint): void {
  call.hints.push(hint);
  call.recipients += hint.users.length;
  call.characters += hint.text.length;
  for (const user of hint.users) if (!call.places.has(user)) call.places.set(user, call.places.size + 1);
}

/** Divides hints into calls, in which those to one user keep their order. Users of one `groupOf` may share a call. */
function* inCalls({ groupOf }: Keys, hints: readonly Hint[]): Generator<Call> {
  const open = new Map<number, Call>();
  for (const hint of hints) {
    for (const [group, users] of Map.groupBy(hint.users, groupOf)) {
      for (let start = 0; start < users.length; start += most.users) {
        const part = { ...hint, users: users.slice(start, start + most.users) };
        let call = open.get(group) ?? emptyCall();
        if (call.hints.length > 0 && !fits(call, part)) {
          yield call;
          call = emptyCall();
        }
        open.set(group, call);
        add(call, part);
      }
    }
  }
  yield* open.values();
}

/**
 * Publishes hints to the other gateways that hold their users now. Resolves the hints to users whom this gateway holds.
 * Rejects with `retry_later` if Redis does not answer.
 */
export function createTellUsers(redis: Redis, keys: Keys, gateway: string) {
  async function tell({ hints, places }: Call): Promise<Hint[]> {
    const users = [...places.keys()];
    const held = await orRetryLater(
      run<string[]>(
        redis,
        'tell-users',
        users.map((user) => keys.user(user)),
        [
          gateway,
          keys.pushBase,
          ...users.map((user) => keys.shardBase(user)),
          ...hints.flatMap((hint) => [
            hint.users.map((user) => places.get(user)!).join(','),
            hint.not ?? '',
            hint.text,
          ]),
        ],
      ),
    );
    const here = new Set(users.filter((_, i) => held[i] === 'here'));
    return hints
      .map((hint) => ({ ...hint, users: hint.users.filter((user) => here.has(user)) }))
      .filter((hint) => hint.users.length > 0);
  }

  return async (hints: readonly Hint[]): Promise<Hint[]> =>
    (await Promise.all([...inCalls(keys, hints)].map(tell))).flat();
}

export type TellUsers = ReturnType<typeof createTellUsers>;
