import type { ProcessRow } from '../../shared/history/gate-rows.ts';

/** The row of a process on another machine, which nobody can find dead. */
export const processRow = (id: string, part: Partial<ProcessRow> = {}): ProcessRow => ({
  id,
  role: 'gateway',
  host: 'elsewhere',
  bootId: '0b8c',
  pidNamespace: 'pid:[4026531836]',
  pid: 4711,
  pidStart: '123456',
  formats: 2,
  since: 1,
  ...part,
});
