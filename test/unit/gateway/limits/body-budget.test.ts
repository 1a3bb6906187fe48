import { expect, test } from 'vitest';
import { createBodyBudget } from '../../../../gateway/limits/body-budget.ts';

const alice = { user: 'alice', service: false };
function refusal(work: () => void): string {
  try {
    work();
    return 'taken';
  } catch (thrown) {
    return (thrown as { code: string }).code;
  }
}

test('limits the bytes of one user, and gives them back when requests are answered', () => {
  const bodies = createBodyBudget(10, { ofUser: 100, inAll: 1000 });
  const [first, second] = [bodies.hold(alice), bodies.hold(alice)];
  expect([refusal(() => first.add(60)), refusal(() => second.add(40)), refusal(() => second.add(1))]).toEqual([
    'taken',
    'taken',
    'rate_limited',
  ]);
  expect(refusal(() => bodies.hold({ user: 'bob', service: false }).add(100))).toBe('taken');
  first.end();
  first.end();
  expect(refusal(() => second.add(60))).toBe('taken');
  expect(bodies.bytes).toBe(200);
  second.end();
  expect([bodies.bytes, bodies.users]).toEqual([100, 1]);
});

test('limits the bytes of all together, back ends included', () => {
  const bodies = createBodyBudget(10, { ofUser: 100, inAll: 250 });
  const service = bodies.hold({ user: 'shop', service: true });
  expect(refusal(() => service.add(200))).toBe('taken');
  expect(refusal(() => bodies.hold(alice).add(60))).toBe('retry_later');
  expect(refusal(() => service.add(60))).toBe('retry_later');
  service.end();
  expect([bodies.bytes, bodies.users]).toEqual([0, 0]);
  expect(refusal(() => bodies.hold(alice).add(60))).toBe('taken');
});

test('always accepts one body of the largest size, and charges nothing after the answer', () => {
  const bodies = createBodyBudget(500, { ofUser: 100, inAll: 250 });
  const hold = bodies.hold(alice);
  expect(refusal(() => hold.add(500))).toBe('taken');
  hold.end();
  expect(refusal(() => hold.add(1))).toBe('bad_request');
  expect(bodies.bytes).toBe(0);
});
