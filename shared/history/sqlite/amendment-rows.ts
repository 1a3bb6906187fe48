import type { Amendment } from '../../model/amendment.ts';
import type { AmendmentRows } from '../amendment-rows.ts';
import type { Statements } from './database.ts';

export function createAmendmentRows({ read, write, row, rows, transaction }: Statements): AmendmentRows {
  return {
    async amendments(conversation, fromSeq, toSeq) {
      return rows<Amendment>(read.amendments, { conversation, fromSeq, toSeq });
    },

    async amendmentsBy(conversation, fromSeq, toSeq) {
      return rows<Amendment>(read.amendmentsBy, { conversation, fromSeq, toSeq });
    },

    async newestAmendment(conversation) {
      return row<{ amendSeq: number }>(read.newestAmendment, { conversation })!.amendSeq;
    },

    async toBake(since, before, limit) {
      return rows<Amendment>(read.toBake, { since, before, limit });
    },

    async markBaked(marked) {
      if (marked.length === 0) return;
      transaction(() => {
        for (const { conversation, seq, amendSeq } of marked) write.baked.run({ conversation, seq, amendSeq });
      });
    },
  };
}
