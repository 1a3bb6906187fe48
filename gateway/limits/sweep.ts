import type { Faults } from '../../shared/process/faults.ts';

const sweepEveryMs = 30_000;

/** Lets budgets forget the users whose budget is full again, so that they do not grow with every user ever seen. */
export function sweepBudgets(faults: Pick<Faults, 'contained'>, ...budgets: { sweep(): void }[]) {
  const timer = setInterval(
    faults.contained('timer', () => {
      for (const budget of budgets) budget.sweep();
    }),
    sweepEveryMs,
  );
  return { stop: (): void => clearInterval(timer) };
}
