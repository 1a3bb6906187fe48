import type { Amendment } from '../../model/amendment.ts';
import type { AmendmentRows } from '../amendment-rows.ts';
import { readAmendmentLines } from './amendment-lines.ts';
import type { Statements } from './database.ts';

/** The rows that `amendments` reads, before they are taken apart (amendment-lines.ts); null: there are none. */
export type AmendmentLines = {
  amendmentLines(conversation: string, fromSeq: number, toSeq: number): Promise<string | null>;
};

export function createAmendmentRows(statements: Statements): AmendmentRows & AmendmentLines {
  const { read, write, row, rows, transaction } = statements;
  const linesOf = (conversation: string, fromSeq: number, toSeq: number): string | null =>
    row<{ lines: string | null }>(read.amendmentLines, { conversation, fromSeq, toSeq })!.lines;

  return {
    async amendmentLines(conversation, fromSeq, toSeq) {
      return linesOf(conversation, fromSeq, toSeq);
    },

    async amendments(conversation, fromSeq, toSeq) {
      return readAmendmentLines(conversation, linesOf(conversation, fromSeq, toSeq));
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
