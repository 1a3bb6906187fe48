import type { Span } from '../../shared/model/model.ts';
import { covers } from '../../shared/model/spans.ts';
import type { LargeMessage } from '../../shared/redis/push-bus.ts';

/** So many messages wait for a user whose place in the group is being read; beyond it the place is read once more. */
const mostWaiting = 100;

/** One user with devices at this gateway, as a member of one large group. */
export type Seat = {
  user: string;
  /** Everything up to this seq is in the user's inbox, or announced there; null while that is being read. */
  since: number | null;
  spans: Span[];
  /** What came while the seat's place was being read; null once it is known. */
  waiting: LargeMessage[] | null;
  /** More came than could wait, or some of it did not come. */
  incomplete: boolean;
};

/**
 * What one message asks for: seats that it can be handed to; users whose place has to be read, since they missed
 * something or have joined; users whose spans have to be read; who has left by it.
 */
export type Passing = {
  to: Seat[];
  missed: string[];
  stale: string[];
  gone: string | null;
  /** How many messages before it did not come. */ lost: number;
};

/**
 * One large group at one gateway: which of its members are here, and how far it has come. Messages come in the order of
 * their seqs, each once, unless a publish was lost or repeated:
 *
 *   seq <= newest        repeated: nobody gets it
 *   seq =  newest + 1    the next one
 *   seq >  newest + 1    some were lost: every seat's place is read again, which announces them
 *
 * The members' spans are known as of `version`. A message of a later one is either the change itself, which says whose
 * spans have changed, or shows that a change was not heard of: then all spans are read again before anybody gets it.
 */
export class LargeGroupSeats {
  readonly conversation: string;
  readonly seats = new Map<string, Seat>();
  /** -1 until something is known. */
  newest = -1;
  version = 0;
  /** The last seq in Redis when that was last asked: by the next time it must have come. */
  expected = 0;

  constructor(conversation: string) {
    this.conversation = conversation;
  }

  /**
   * A user's place is going to be read: what comes from now on waits. What has waited before was accepted before, so
   * the reading announces it: it need not be kept, and what did not fit any more is no reason to read twice.
   */
  open(user: string): void {
    const seat = this.seats.get(user);
    this.seats.set(user, { user, since: null, spans: seat?.spans ?? [], waiting: [], incomplete: false });
  }

  /**
   * A user's place was read, or (`since` null) only its spans, which says nothing about a place that is being read.
   * Answers what waited and is for it, null when it has to be read once more.
   */
  place(user: string, since: number | null, spans: Span[], lastSeq: number, version: number): LargeMessage[] | null {
    const seat = this.seats.get(user);
    if (seat === undefined || (since ?? seat.since) === null) return [];
    if (this.newest === -1 && !this.begin(seat, lastSeq, version)) return null;
    if (seat.incomplete) {
      // What was dropped has been accepted by now: the next reading announces it.
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

  /**
   * The first place that is read says where the group is. Answers whether what has waited meanwhile goes on from there.
   */
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
   * Something for this user did not come: only a reading that begins from now on gives it a place, and it waits however
   * often that fails.
   */
  lack(user: string): void {
    this.open(user);
    this.seats.get(user)!.incomplete = true;
  }

  /** What was published up to this seq did not come. Answers whose places have to be read. */
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
    // Until a place is read nobody can be handed anything: it waits, and is judged then.
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

/** Who joins or leaves gets that by its inbox. */
const isFor = ({ user, since, spans }: Seat, { seq, change }: LargeMessage): boolean =>
  seq > since! && change?.user !== user && spans.some((span) => covers(span, seq));
