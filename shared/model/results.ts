import type { AmendAction } from './amendment.ts';
import type { Gap } from './model.ts';

export type Accepted = {
  id: string;
  conversation: string;
  seq: number;
  at: number;
  duplicate: boolean;
  /** History knew this duplicate; Redis need not have it. */
  fromHistory?: true;
};

/** The amendment in force. `accepted`: the amendment as a message; of version 0 the message itself. */
export type Amended = {
  conversation: string;
  seq: number;
  action: AmendAction;
  by: string;
  at: number;
  version: number;
  amendSeq: number;
  accepted: Accepted;
};

/** `device` is the user's own device that sent it, '' when another user or no device did. */
export type PageItem = { position: number; device: string; text: string };

/**
 * A page of an inbox: items and gaps, each in rising order of position. `next` lies beyond all of them. `larges` are
 * the user's large groups, of which the inbox holds nothing until it is caught up (large-groups.ts).
 */
export type Page = {
  epoch: string;
  head: number;
  next: number;
  more: boolean;
  items: PageItem[];
  gaps: Gap[];
  larges: string[];
};
