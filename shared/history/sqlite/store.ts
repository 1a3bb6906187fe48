import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import type { ConversationInfo, ConversationKind } from '../../model/model.ts';
import { decodeSpans, encodeSpans } from '../../model/spans.ts';
import { checkMerge, joinTexts, readBlock, type StoredBlock, type StoredTexts } from '../block.ts';
import { notHeld } from '../skips.ts';
import {
  type Block,
  blockFormats,
  type BlockOutcome,
  type BlockRange,
  type Deployment,
  type HistoryStore,
  type Loss,
  type MemberRow,
  type OwnDays,
  type Progress,
  type SkipRow,
} from '../store.ts';
import { inTransaction, openDatabase } from './schema.ts';
import { reads, writes } from './sql.ts';

type StoredConversationRow = {
  id: string;
  kind: ConversationKind;
  name: string | null;
  createdAt: number;
  service: 0 | 1;
  userA: string | null;
  userB: string | null;
  version: number;
  historyDays: number | null;
  lastSeq: number;
};
type StoredMember = Omit<MemberRow, 'spans'> & { spans: string };
type StoredDeployment = Omit<Deployment, 'opened' | 'losses'> & { opened: 0 | 1; losses: string };

const toInfo = (row: StoredConversationRow): ConversationInfo => ({
  id: row.id,
  kind: row.kind,
  name: row.name,
  createdAt: row.createdAt,
  service: row.service === 1,
  users: row.userA !== null && row.userB !== null ? [row.userA, row.userB] : null,
  historyDays: row.historyDays,
  version: row.version,
});

const toMember = ({ conversation, user, spans, version }: StoredMember): MemberRow => ({
  conversation,
  user,
  spans: decodeSpans(spans),
  version,
});

/** The statements, prepared once. A statement that is not tied to an open read keeps no lock between calls. */
const prepareAll = <Name extends string>(db: DatabaseSync, texts: Record<Name, string>): Record<Name, StatementSync> =>
  Object.fromEntries(Object.entries<string>(texts).map(([name, text]) => [name, db.prepare(text)])) as Record<
    Name,
    StatementSync
  >;

/**
 * The history in one file, for one host. Processes share the file; each call runs to its end before it returns, so a
 * process that serves sockets takes sqlite-thread.ts. Throws when the file cannot be opened.
 */
export function openSqliteStore(path: string, options: { readOnly?: boolean; busyMs?: number } = {}): HistoryStore {
  const db = openDatabase(path, options.readOnly ?? false, options.busyMs);
  const read = prepareAll(db, reads);
  const write = prepareAll(db, options.readOnly ? ({} as typeof writes) : writes);

  const rows = <Row>(statement: StatementSync, values: Record<string, SQLInputValue> = {}): Row[] =>
    statement.all(values).map((row) => ({ ...row })) as Row[];
  const row = <Row>(statement: StatementSync, values: Record<string, SQLInputValue> = {}): Row | null =>
    rows<Row>(statement, values)[0] ?? null;

  const transaction = <T>(task: () => T): T => {
    if (options.readOnly) throw new Error(`the history ${path} is open for reading only`);
    return inTransaction(db, task);
  };

  const insertBlocks = (blocks: { block: Block; texts: StoredTexts }[]): BlockOutcome[] => {
    const next = { text: 0, pack: 0 };
    return blocks.map(({ block: { texts: _, ...columns }, texts }) => {
      const kind = typeof texts === 'string' ? 'text' : 'pack';
      next[kind] ||= row<{ id: number }>(kind === 'text' ? read.nextTextId : read.nextPackId)?.id ?? 1;
      if (write.block.run({ ...columns, textId: next[kind] }).changes === 0) return 'taken';
      write[kind].run(next[kind]++, texts);
      return 'stored';
    });
  };

  type Placed = { format: number; textId: number };
  const holdsTexts = ({ format }: { format: number }): boolean =>
    format !== blockFormats.stub && format !== blockFormats.cold;
  const dropTexts = ({ format, textId }: Placed): void => {
    if (format === blockFormats.plain) write.dropText.run(textId);
    if (format === blockFormats.packed) write.dropPack.run(textId);
  };
  const dropBlock = ({ conversation, firstSeq, lastSeq }: BlockRange): void => {
    const placed = row<Placed>(read.placed, { conversation, firstSeq, lastSeq });
    if (placed === null) return;
    write.dropBlock.run({ conversation, firstSeq, lastSeq });
    dropTexts(placed);
  };

  const hasOwnDays = (conversation: string): boolean =>
    (row<{ historyDays: number | null }>(read.daysOf, { conversation })?.historyDays ?? null) !== null;
  const writeConversation = ({ users, service, ...info }: ConversationInfo): void => {
    const hadOwnDays = hasOwnDays(info.id);
    write.conversation.run({ ...info, service: Number(service), userA: users?.[0] ?? null, userB: users?.[1] ?? null });
    if (hadOwnDays && !hasOwnDays(info.id)) write.together.run({ conversation: info.id });
  };

  type Expired = BlockRange & Placed & { followed: 0 | 1 };
  const expire = ({ conversation, firstSeq, lastSeq, format, textId, followed }: Expired): void => {
    dropTexts({ format, textId });
    write.dropStubs.run({ conversation, lastSeq });
    if (followed === 1) write.dropBlock.run({ conversation, firstSeq, lastSeq });
    else write.stub.run({ conversation, firstSeq, lastSeq });
  };

  /** Skips without the seqs that blocks hold. */
  const onlySkipped = (skips: SkipRow[]): SkipRow[] =>
    skips.flatMap((skip) => notHeld([skip], rows<BlockRange>(read.holding, { ...skip })));
  const skipsOf = (conversation: string): SkipRow[] => rows<SkipRow>(read.skips, { conversation });

  /** A read of several statements that sees one state. */
  const consistently = <T>(task: () => T): T => {
    db.exec('BEGIN');
    try {
      return task();
    } finally {
      db.exec('COMMIT');
    }
  };

  const storedDeployment = (): Deployment | null => {
    const stored = row<StoredDeployment>(read.deployment);
    return stored && { ...stored, opened: stored.opened === 1, losses: JSON.parse(stored.losses) as Loss[] };
  };

  return {
    async write({ progress, conversations, members, skips, blocks }) {
      const joined = blocks.map((block) => ({ block, texts: joinTexts(block) }));
      return transaction(() => {
        if (progress) write.progress.run(progress);
        for (const info of conversations) writeConversation(info);
        for (const member of members) write.member.run({ ...member, spans: encodeSpans(member.spans) });
        for (const skip of onlySkipped(skips)) write.skip.run(skip);
        return insertBlocks(joined);
      });
    },

    async newestBlock(conversation) {
      const stored = row<StoredBlock>(read.newestBlock, { conversation });
      return stored && readBlock(stored);
    },

    async blocks(conversation, fromSeq, toSeq, order, limit) {
      const statement = order === 'oldest' ? read.oldestBlocks : read.newestBlocks;
      return rows<StoredBlock>(statement, { conversation, fromSeq, toSeq, limit }).map(readBlock);
    },

    async blocksSince(conversation, since, afterSeq, limit) {
      return rows<StoredBlock>(read.blocksSince, { conversation, since, afterSeq, limit }).map(readBlock);
    },

    async blocksAround(at, limit) {
      const looked = rows<BlockRange & { firstAt: number; lastAt: number }>(read.endingFrom, { at, limit });
      return looked.filter(({ firstAt }) => firstAt <= at).map(({ firstAt: _, lastAt: __, ...range }) => range);
    },

    async keptFrom(conversation) {
      return row<{ seq: number }>(read.keptFrom, { conversation })?.seq ?? 1;
    },

    async changedSince(since, limit) {
      const changed = rows<{ conversation: string; lastAt: number }>(read.changedSince, { since, limit });
      return {
        conversations: [...new Set(changed.map(({ conversation }) => conversation))],
        until: changed.at(-1)?.lastAt ?? null,
      };
    },

    async ranges(conversation, fromSeq, limit) {
      return rows<BlockRange>(read.ranges, { conversation, fromSeq, limit });
    },

    async replaceBlocks(ranges, merged) {
      checkMerge(ranges, merged);
      const texts = joinTexts(merged);
      return transaction(() => {
        const { conversation, firstSeq, lastSeq } = ranges[0]!;
        const first = row<Placed>(read.placed, { conversation, firstSeq, lastSeq });
        if (first === null || !holdsTexts(first)) return false;
        for (const range of ranges) dropBlock(range);
        insertBlocks([{ block: merged, texts }]);
        return true;
      });
    },

    async expireBlocks(before, limit) {
      return transaction(() => {
        const looked = rows<Expired & { own: 0 | 1 }>(read.expired, { before, limit });
        const expired = looked.filter(({ own }) => own === 0);
        for (const { conversation, firstSeq, lastSeq, own } of looked)
          if (own === 1) write.setApart.run({ conversation, firstSeq, lastSeq });
        for (const block of expired) expire(block);
        return { looked: looked.length, removed: expired.length };
      });
    },

    async expireBlocksOf(conversation, before, limit) {
      const find = (): Expired[] => rows<Expired>(read.expiredOf, { conversation, before, limit });
      // Mostly there is nothing, and then nobody else's write is waited for.
      if (find().length === 0) return 0;
      return transaction(() => {
        const expired = find();
        for (const block of expired) expire(block);
        return expired.length;
      });
    },

    async ownDays(after, limit) {
      return rows<OwnDays>(read.ownDays, { ...after, limit });
    },

    async warmBlocks(since, before, limit) {
      const looked = rows<BlockRange & { lastAt: number; format: number }>(read.warm, { since, before, limit });
      const ranges = looked
        .filter(holdsTexts)
        .map(({ conversation, firstSeq, lastSeq }) => ({ conversation, firstSeq, lastSeq }));
      return { ranges, until: looked.at(-1)?.lastAt ?? null };
    },

    async makeCold({ conversation, firstSeq, lastSeq }) {
      return transaction(() => {
        const placed = row<Placed>(read.placed, { conversation, firstSeq, lastSeq });
        if (placed === null || !holdsTexts(placed)) return false;
        dropTexts(placed);
        write.cold.run({ conversation, firstSeq, lastSeq });
        return true;
      });
    },

    async formatOf({ conversation, firstSeq, lastSeq }) {
      return row<Placed>(read.placed, { conversation, firstSeq, lastSeq })?.format ?? null;
    },

    async lastSeqs(conversations) {
      const found = conversations.map(
        (conversation) => [conversation, row<{ lastSeq: number }>(read.lastSeqOf, { conversation })!.lastSeq] as const,
      );
      return new Map(found.filter(([, seq]) => seq > 0));
    },

    async conversation(id) {
      return consistently(() => {
        const stored = row<StoredConversationRow>(read.conversation, { conversation: id });
        if (!stored) return null;
        const members = rows<StoredMember>(read.members, { conversation: id }).map(toMember);
        const recorded = skipsOf(id);
        return { info: toInfo(stored), members, skips: onlySkipped(recorded), recorded, lastSeq: stored.lastSeq };
      });
    },

    async conversationsOf(user, after, limit) {
      return consistently(() =>
        rows<StoredMember & { lastSeq: number }>(read.conversationsOf, { user, after, limit }).map(
          ({ lastSeq, ...member }) => ({
            member: toMember(member),
            lastSeq,
            skips: onlySkipped(skipsOf(member.conversation)),
          }),
        ),
      );
    },

    async progress() {
      return rows<Progress>(read.progress);
    },

    async deployment() {
      return storedDeployment();
    },

    async saveDeployment(expectedEpoch, deployment) {
      return transaction(() => {
        const stored = storedDeployment();
        if ((stored?.epoch ?? null) === expectedEpoch) {
          write.deployment.run({
            ...deployment,
            opened: Number(deployment.opened),
            losses: JSON.stringify(deployment.losses),
          });
        } else if (!stored) throw new Error(`no deployment is stored, epoch ${expectedEpoch} was expected`);
        return storedDeployment() ?? deployment;
      });
    },

    async ping() {
      storedDeployment();
    },

    async close() {
      if (db.isOpen) db.close();
    },
  };
}
