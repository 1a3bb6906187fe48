import { expect, test } from 'vitest';
import type { Audit } from '../../../../cli/verify/audit.ts';
import { createFindings, stillFound } from '../../../../cli/verify/findings.ts';
import { jsonReport, textReport } from '../../../../cli/verify/report.ts';

const totals = {
  conversations: 3,
  seqs: 40,
  oldBodies: 6,
  users: 2,
  entries: 17,
  notLoaded: 1,
  unsettled: { inbox: 4, history: 0 },
  deadLetters: 5,
};
const audit = (count: number): Audit => {
  const findings = createFindings();
  for (let i = 1; i <= count; i++)
    findings.add([{ kind: 'missing_seqs', where: 'conversation c', what: `seqs ${i}-${i}` }]);
  return { totals, findings };
};

test('a table of what was looked at, and that nothing is missing', () => {
  expect(textReport(audit(0))).toBe(
    [
      'conversations  3, 40 seqs',
      'old bodies     6 stored, shown to nobody',
      'users          2, 17 entries',
      'not loaded     1 users, since a loss',
      'unsettled      inbox 4, history 0',
      'dead letters   5 open',
      'findings       0',
      'nothing is missing',
      '',
    ].join('\n'),
  );
});

test('findings are counted all, and named up to a bound', () => {
  const text = textReport(audit(250));
  expect(text).toMatch(/\nmissing_seqs +250 {2}seqs that are in no block/);
  expect(text.match(/^missing_seqs {2}conversation c/gm)).toHaveLength(100);
  expect(text).toContain('\nmissing_seqs  conversation c  seqs 100-100\nand 150 more\n');
  const json = JSON.parse(jsonReport(audit(250))) as { total: number; counts: object; findings: object[] };
  expect(json).toMatchObject({ total: 250, counts: { missing_seqs: 250 }, totals });
  expect(json.findings).toHaveLength(100);
});

test('only what is found again is kept', () => {
  const one = { kind: 'missing_seqs', where: 'conversation c', what: 'seqs 1-1' } as const;
  const other = { ...one, what: 'seqs 2-2' };
  expect(stillFound([one, other], [{ ...other }])).toEqual([other]);
  expect(stillFound([one], [])).toEqual([]);
});
