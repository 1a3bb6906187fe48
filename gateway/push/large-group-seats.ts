import type { Span } from '../../shared/model/model.ts';
import { covers } from '../../shared/model/spans.ts';
import type { LargeMessage } from '../../shared/redis/push-bus.ts';

/** Maximum messages that wait while a user's place is read. If more come, the place is read once more. */
const mostWaiting = 100;

/** One user with devices at this gateway, as a member of one large group. */
export type Seat = {
  user: string;
  /** The user's place: everything up to this seq is in its inbox or announced there. Null while it is read. */
  since: number | null;
  spans: Span[];
  /** Messages that came while the place was read; null once it is known. */
  waiting: LargeMessage[] | null;
  /** Some messages did not fit into `waiting`, or did not come. */
  incomplete: boolean;
};

/** What to do with one message. */
export type Passing = {
  /** Hand it over to these. */
  to: Seat[];
  /** Read the place of these users: they missed something, or have joined. */
  missed: string[];
  /** Read the spans of these users. */
  stale: string[];
  /** The user that has left by this message. */
  gone: string | null;
  /** How many messages before this one did not come. */
  lost: number;
};

/**
 * One large group at one gateway: the seats of its members here, and the newest seq. Messages come in rising order of
 * seq, each once, unless a publish was lost or repeated:
 *
 *   seq <= newest        repeated: nobody gets it
 *   seq =  newest + 1    the next one
 *   seq >  newest + 1    some were lost: the place of every seat is read again, which announces them
 *
 * Spans say which seqs a member may see. They are known as of `version`, which rises with each change of members. A
 * message with the next version is normally the change itself, and names the member. Any other higher version shows
 * that a change was missed: then all spans are read again before anybody gets the message.
 */
export class LargeGroupSeats {
  readonly conversation: string;
  readonly seats = new Map<string, Seat>();
  /** -1 until something is known. */
  newest = -1;
  version = 0;
  /** The last seq in Redis at the last check. It must have come by the next check. */
  expected = 0;

  constructor(conversation: string) {
    this.conversation = conversation;
  }

  /**
   * A user's place is about to be read: messages wait from now on. Those that have waited before are forgotten. They
   * were accepted before the reading begins, so it announces them, even those that did not fit.
   */
  open(user: string): void {
    const seat = this.seats.get(user);
    this.seats.set(user, { user, since: null, spans: seat?.spans ?? [], waiting: [], incomplete: false });
  }

  /**
   * A user's place was read, or only its spans (`since` null), which does not end the reading of a place. Answers the
   * messages that waited for this user; null if the place has to be read once more.
   */
  place(user: string, since: number | null, spans: Span[], lastSeq: number, version: number): LargeMessage[] | null {
    const seat = this.seats.get(user);
    if (seat === undefined || (since ?? seat.since) === null) return [];
    if (this.newest === -1 && !this.begin(seat, lastSeq, version)) return null;
    if (seat.incomplete) {
      // The missing messages are accepted by now, so the next reading announces them.
      this.open(user);
      return null;
    }
    if (version < this.version) return null;
    const waited = seat.waiting ?? [];
    seat.since = since ?? seat.since;
    seat.spans = spans;
    seat.waiting = null;
    return waited.filter((message) => isFor(seat, message));
  }

  /** The first place sets `newest` and `version`. Answers whether the messages that waited follow without a hole. */
  private begin({ waiting }: Seat, lastSeq: number, version: number): boolean {
    this.newest = lastSeq;
    this.version = version;
    let goesOn = true;
    for (const message of waiting ?? []) {
      if (message.seq <= this.newest) continue;
      goesOn &&= this.isNext(message) && this.isKnown(message);
      this.note(message);
    }
    return goesOn;
  }

  private isNext({ seq }: LargeMessage): boolean {
    return seq === this.newest + 1;
  }

  private isKnown({ version, change }: LargeMessage): boolean {
    return version <= this.version || (change !== null && version === this.version + 1);
  }

  private note({ seq, version }: LargeMessage): void {
    this.newest = seq;
    this.version = Math.max(this.version, version);
  }

  /**
   * Some message for this user did not come. Only a reading that begins after this call gives it a place; until one
   * succeeds its messages wait.
   */
  lack(user: string): void {
    this.open(user);
    this.seats.get(user)!.incomplete = true;
  }

  /** Messages up to this seq were published and did not come. Answers the users whose places have to be read. */
  lose(seq: number): string[] {
    this.newest = seq;
    const users = [...this.seats.keys()];
    for (const user of users) this.lack(user);
    return users;
  }

  /** Decides about one message of the group. */
  pass(message: LargeMessage): Passing {
    const { seq, change } = message;
    const passing: Passing = { to: [], missed: [], stale: [], gone: null, lost: 0 };
    if (seq <= this.newest) return passing;
    // Before the first place is read every message waits, and is checked then (`begin`).
    const isBegun = this.newest !== -1;
    const isNext = !isBegun || this.isNext(message);
    const isKnown = !isBegun || this.isKnown(message);
    if (!isNext) passing.lost = seq - this.newest - 1;
    if (isBegun) this.note(message);
    if (change?.action === 'joined') passing.missed.push(change.user);
    else if (change !== null && this.seats.delete(change.user)) passing.gone = change.user;
    for (const seat of this.seats.values()) {
      if (!isNext) passing.missed.push(seat.user);
      else if (!isKnown && seat.waiting === null) passing.stale.push(seat.user);
      if (!isNext || !isKnown) seat.waiting ??= [];
      if (!isNext) {
        seat.incomplete ||= seat.since === null;
        seat.since = null;
      }
      if (seat.waiting === null) {
        if (isFor(seat, message)) passing.to.push(seat);
      } else if (seat.waiting.length < mostWaiting) seat.waiting.push(message);
      else seat.incomplete = true;
    }
    return passing;
  }
}

/** A member gets its own join or leave by its inbox. */
const isFor = ({ user, since, spans }: Seat, { seq, change }: LargeMessage): boolean =>
  seq > since! && change?.user !== user && spans.some((span) => covers(span, seq));
