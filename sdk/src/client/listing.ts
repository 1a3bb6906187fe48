import { readMessage } from '../intake/read-frames.ts';
import type { Writer } from '../storage/writer.ts';
import type { Http } from './http.ts';

type Listed = {
  id: string;
  name: string | null;
  peer?: string;
  lastSeq: number;
  readSeq: number;
  unread: number;
  last: unknown;
  createdAt: number;
};

/** The most conversations of a page. */
const pageItems = 100;

/**
 * Reads the user's newest conversations from the server, at most `most`: their names, and what is older than all
 * messages here. Numbers that lag behind what is stored are passed over.
 */
export function createListing(http: Http, writer: Writer, most: number): () => Promise<void> {
  const take = (listed: Listed[]): void =>
    writer.change({
      rows: listed.length,
      async run(transaction) {
        for (const { id, name, peer, lastSeq, readSeq, unread, last, createdAt } of listed) {
          const row = await transaction.row(id);
          const found = readMessage(last);
          const isNewer = found !== null && found.seq >= (row.last?.seq ?? 0);
          transaction.setRow({
            ...row,
            name,
            ...(peer === undefined ? {} : { peer }),
            ...(lastSeq < row.lastSeq ? {} : { unread, countedSeq: Math.max(row.countedSeq, lastSeq) }),
            readSeq: Math.max(row.readSeq, readSeq),
            ...(isNewer ? { last: found } : {}),
            at: isNewer ? found.at : row.at || createdAt,
          });
        }
      },
    });

  return async () => {
    let after = '';
    for (let count = 0; count < most; count += pageItems) {
      const page = (await http('GET', `/conversations?limit=${pageItems}${after}`)) as {
        conversations: Listed[];
        next?: string;
      };
      take(page.conversations);
      if (page.next === undefined) break;
      after = `&after=${encodeURIComponent(page.next)}`;
    }
    await writer.flushed();
  };
}
