import { describe, expect, test } from 'vitest';
import { deployment, loss } from './rows.ts';
import type { StoreAtHand } from './under-test.ts';

/** The one row of the deployment. */
export function deploymentCases(subject: StoreAtHand): void {
  describe('the deployment', () => {
    test('is written once, then only over the expected epoch', async () => {
      expect(await subject.store.saveDeployment(null, deployment('e1'))).toEqual(deployment('e1'));
      expect(await subject.store.saveDeployment(null, deployment('e2'))).toEqual(deployment('e1'));
      expect(await subject.store.saveDeployment('e0', deployment('e2'))).toEqual(deployment('e1'));
      expect(await subject.store.deployment()).toEqual(deployment('e1'));
      expect(await subject.store.saveDeployment('e1', deployment('e2', 2, loss(1, 900), loss(2, 1000)))).toEqual(
        deployment('e2', 2, loss(1, 900), loss(2, 1000)),
      );
      expect(await subject.store.saveDeployment('e1', deployment('e3', 3))).toEqual(
        deployment('e2', 2, loss(1, 900), loss(2, 1000)),
      );
      expect(await subject.open().deployment()).toEqual(deployment('e2', 2, loss(1, 900), loss(2, 1000)));
    });

    test('can be written again under its own epoch', async () => {
      await subject.store.saveDeployment(null, deployment('e1'));
      expect(await subject.store.saveDeployment('e1', deployment('e1', 1, loss(1, 5)))).toEqual(
        deployment('e1', 1, loss(1, 5)),
      );
      expect(await subject.store.saveDeployment('e1', deployment('e2', 2, loss(2, 6)))).toEqual(
        deployment('e2', 2, loss(2, 6)),
      );
      expect(await subject.store.deployment()).toEqual(deployment('e2', 2, loss(2, 6)));
    });

    test('its formats never fall, whoever writes it', async () => {
      const at = (formats: number, epoch = 'e1', generation = 1) => ({ ...deployment(epoch, generation), formats });
      await subject.store.saveDeployment(null, at(1));
      expect(await subject.store.saveDeployment('e1', at(3))).toEqual(at(3));
      expect(await subject.store.saveDeployment('e1', at(2))).toEqual(at(3));
      expect(await subject.store.saveDeployment('e1', at(1, 'e2', 2))).toEqual(at(3, 'e2', 2));
      expect(await subject.open().deployment()).toEqual(at(3, 'e2', 2));
    });

    test('an expected epoch where nothing is stored is an error', async () => {
      await expect(subject.store.saveDeployment('e1', deployment('e2'))).rejects.toThrow('e1');
      expect(await subject.store.deployment()).toBeNull();
    });

    test.each([
      ['the first', null],
      ['a later', 'e0'],
    ])('of many who write %s one at a time one wins', async (_, expected) => {
      const stores = [subject.store, subject.open(), subject.open(), subject.open()];
      if (expected) await subject.store.saveDeployment(null, deployment(expected));
      const answers = await Promise.all(
        stores.map((one, index) => one.saveDeployment(expected, deployment(`n${index}`, 2))),
      );
      const winner = await subject.store.deployment();
      expect(winner?.generation).toBe(2);
      expect(answers).toEqual(stores.map(() => winner));
    });
  });

  test('a deployment written under its own epoch meanwhile does not keep the next epoch out', async () => {
    const stores = [subject.store, subject.open(), subject.open(), subject.open()];
    await subject.store.saveDeployment(null, deployment('e0'));
    for (let round = 1; round <= 8; round++) {
      const [before, after] = [`e${round - 1}`, `e${round}`];
      const next = deployment(after, round);
      const answers = await Promise.all(
        stores.map((one, index) =>
          one.saveDeployment(before, index === 3 ? next : deployment(before, round, loss(round, index))),
        ),
      );
      expect(answers[3]).toEqual(next);
      expect(await subject.store.deployment()).toEqual(next);
    }
  });
}
