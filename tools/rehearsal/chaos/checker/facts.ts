import type { Level, RunEvent } from '../recording.ts';

/**
 * What a recording says, taken apart and put in order: who sent what and was answered what, and who saw what. Every
 * fact knows the line of the recording that it stands in. Of two facts, the one with the lower line happened first.
 */

/** A message as it was seen. One object for all sightings of the same text. */
export type Message = {
  id: string;
  conversation: string;
  seq: number;
  sender: string;
  clientId: string;
  kind: string;
  at: number;
  class: string;
  /** The body as compact JSON, if it is short; otherwise its hash. */
  body: string;
  /** The hash of the whole text. */
  hash: string;
  change: { user: string; action: string } | null;
  /** Which amendment this text reflects. `amendSeq` 0: withheld, so its reader may not know more. */
  amended: { action: string; amendSeq: number } | null;
  /** Set if the message is an amendment itself. */
  amends: { seq: number; action: string; withBody: boolean } | null;
};

/** `deliver`: pushed. `page`: answer to `sync`. `inbox`: by HTTP. `last`: the newest message in a list or summary. */
export type Path = 'deliver' | 'page' | 'inbox' | 'history' | 'last';

export type Sighting = {
  line: number;
  path: Path;
  /** Null: a service saw it. */
  user: string | null;
  /** Null for HTTP. */
  connection: Connection | null;
  epoch: string | null;
  position: number | null;
  message: Message;
  /** The line of the request, or of the hello of the connection for what came unasked. */
  asked: number;
  /** Read for the final state. */
  final: boolean;
};

export type Gap = {
  line: number;
  user: string;
  connection: Connection | null;
  epoch: string | null;
  position: number;
  conversation: string;
  fromSeq: number;
  toSeq: number;
};

export type Welcome = {
  line: number;
  epoch: string;
  position: number;
  head: number;
  reset: boolean;
  lostSince: number | null;
};

/** `received`, `sync` and `hello` with a position confirm everything up to it. */
export type Confirmation = { line: number; position: number; id: string | null; refused: boolean };

/** A request whose answer came: what was written before it was handled before what came after. */
export type Answered = { asked: number; answered: number; answeredAt: number };

export type Connection = {
  key: string;
  user: string;
  device: string;
  opened: number;
  closed: number | null;
  mode: string;
  hello: { line: number; position: number | null; epoch: string | null } | null;
  welcome: Welcome | null;
  items: Sighting[];
  gaps: Gap[];
  confirmed: Confirmation[];
  answered: Answered[];
  /** The line at which a page said that there is no more. */
  readToEnd: number | null;
};

export type Device = { user: string; device: string; connections: Connection[] };

export type Outcome =
  | {
      kind: 'accepted';
      line: number;
      id: string;
      conversation: string;
      seq: number;
      at: number;
      duplicate: boolean;
      level: Level;
    }
  | { kind: 'refused'; line: number; code: string }
  | { kind: 'unknown'; line: number; code: string | null };

export type Accepted = Extract<Outcome, { kind: 'accepted' }>;

/** One try to get something accepted. `connection` null: by HTTP. No outcome: nothing ever came. */
export type Attempt<Of = Outcome> = { line: number; connection: Connection | null; outcome: Of | null };

/** A message that somebody wanted to send, with all its attempts. */
export type Send = {
  sender: string;
  clientId: string;
  /** `to <user>` or `in <conversation>`. */
  target: string;
  kind: string;
  class: string;
  body: string;
  attempts: Attempt[];
};

export type AmendOutcome =
  | { kind: 'amended'; line: number; amendSeq: number; at: number }
  | Exclude<Outcome, { kind: 'accepted' }>;

/** An amendment that somebody wanted, with all its attempts. */
export type Amend = {
  by: string;
  clientId: string;
  conversation: string;
  /** Of the message that is amended. */
  seq: number;
  action: string;
  body: string;
  attempts: Attempt<AmendOutcome>[];
};

export type MemberChange = {
  line: number;
  conversation: string;
  user: string;
  operation: 'join' | 'leave';
  /** Certainly not carried out. */
  refused: boolean;
};

export type Creation = { line: number; conversation: string; members: string[] };

/** A page of history as a service or a user got it, for the final state. */
export type HistoryPage = {
  line: number;
  conversation: string;
  user: string | null;
  seqs: number[];
  absent: { fromSeq: number; toSeq: number }[];
  final: boolean;
};

/** A conversation in a list (`list`) or in the summary of a welcome (`welcome`). */
export type Summary = {
  line: number;
  from: 'list' | 'welcome';
  user: string;
  conversation: string;
  unread: number;
  readSeq: number;
  lastSeq: number;
  final: boolean;
};

export type ReadMark = { line: number; user: string; conversation: string; seq: number };

/** A request for a page of the inbox that named an epoch. `answer`: the epoch of the page, or null for an error. */
export type EpochAsk = { line: number; user: string; asked: string; answer: string | null; code: string | null };

export type Facts = {
  run: RunEvent | null;
  devices: Map<string, Device>;
  /** By sender and clientId. */
  sends: Map<string, Send[]>;
  sightings: Sighting[];
  gaps: Gap[];
  changes: MemberChange[];
  creations: Creation[];
  pages: HistoryPage[];
  summaries: Summary[];
  /** Users whose whole list was read for the final state. */
  listed: Set<string>;
  reads: ReadMark[];
  /** By who amends and clientId. */
  amends: Map<string, Amend>;
  epochAsks: EpochAsk[];
  /** The epochs in the order in which anybody first saw them. */
  epochs: { epoch: string; line: number }[];
  losses: { line: number; upTo: Level | null; certain: boolean }[];
  poison: { line: number; marker: string }[];
  deadLetters: { line: number; text: string } | null;
  measured: { line: number; phase: 'baseline' | 'end'; what: string; of: string; value: number }[];
  waiting: { line: number; of: string; lag: number; pending: number }[];
  sendingStopped: number | null;
  drained: { line: number; missing: string[] } | null;
  dumpBegun: number | null;
  dumpEnded: { line: number; complete: boolean; why: string } | null;
  lines: number;
};
