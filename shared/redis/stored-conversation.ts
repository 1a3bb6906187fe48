import type { ConversationInfo, SeqRange } from '../model.ts';

/** A conversation as history knows it; spans as text. */
export type StoredConversation = {
  info: ConversationInfo;
  members: { user: string; spans: string; version: number }[];
  skips: SeqRange[];
  lastSeq: number;
};

/** The version that all of it has come to: a change of name raises the conversation's own, a change of members that of a member. */
export const versionOf = ({ info, members }: StoredConversation): number => Math.max(info.version, ...members.map(({ version }) => version));

export const encodeSkips = (skips: readonly SeqRange[]): string => skips.map(({ fromSeq, toSeq }) => `${fromSeq}-${toSeq}`).join(',');
