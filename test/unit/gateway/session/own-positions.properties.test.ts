import fc from 'fast-check';
import { test } from 'vitest';
import { OwnPositions } from '../../../../gateway/session/own-positions.ts';
import { always } from '../../../support/properties.ts';

type Model = { own: Set<number>; last: number; received: number };

class Add implements fc.Command<Model, OwnPositions> {
  private readonly above: number;
  constructor(above: number) {
    this.above = above;
  }
  check(): boolean {
    return true;
  }
  run(model: Model, real: OwnPositions): void {
    // As the session does it: only what is above what was received.
    model.last = Math.max(model.last, model.received) + this.above;
    model.own.add(model.last);
    real.add(model.last);
  }
  toString(): string {
    return `add +${this.above}`;
  }
}

class Receive implements fc.Command<Model, OwnPositions> {
  private readonly more: number;
  constructor(more: number) {
    this.more = more;
  }
  check(): boolean {
    return true;
  }
  run(model: Model, real: OwnPositions): void {
    let expected = model.received + this.more;
    const moved = real.moveOver(expected);
    while (model.own.has(expected + 1)) expected += 1;
    if (moved !== expected) throw new Error(`moved to ${moved}, not ${expected}`);
    model.received = expected;
  }
  toString(): string {
    return `receive +${this.more}`;
  }
}

test('the received position moves over own messages, and over nothing else', () => {
  const commands = fc.commands(
    [fc.integer({ min: 1, max: 3 }).map((above) => new Add(above)), fc.nat(4).map((more) => new Receive(more))],
    { maxCommands: 30 },
  );
  always(
    fc.property(commands, (some) =>
      fc.modelRun(
        () => ({
          model: { own: new Set<number>(), last: 0, received: 0 },
          real: new OwnPositions(),
        }),
        some,
      ),
    ),
  );
});
