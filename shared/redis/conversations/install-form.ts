import type { ConversationInfo, SeqRange } from '../../model/model.ts';

/** A conversation as history knows it; spans as text. */
export type InstallForm = {
  info: ConversationInfo;
  members: { user: string; spans: string; version: number }[];
  skips: SeqRange[];
  lastSeq: number;
  /** The seq of the newest amendment that is in force; 0: none. */
  amendSeq: number;
  /** The newest seqs that do not count as unread, beside the skips; absent: none. */
  quiet?: SeqRange[];
};

/**
 * The version that all of it has come to: a change of members raises that of a member, any other the conversation's
 * own.
 */
export const versionOf = ({ info, members }: Pick<InstallForm, 'info' | 'members'>): number =>
  members.reduce((most, { version }) => Math.max(most, version), info.version);

export const encodeSkips = (skips: readonly SeqRange[]): string =>
  skips.map(({ fromSeq, toSeq }) => `${fromSeq}-${toSeq}`).join(',');

/** The inverse of `encodeSkips`. */
export const decodeSkips = (text: string): SeqRange[] =>
  text === ''
    ? []
    : text.split(',').map((range) => {
        const dash = range.indexOf('-');
        return { fromSeq: Number(range.slice(0, dash)), toSeq: Number(range.slice(dash + 1)) };
      });
