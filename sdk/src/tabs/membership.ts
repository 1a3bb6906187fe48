import { fullJitter } from '../backoff.ts';
import { createReplacedOften } from '../link/replaced-often.ts';
import { pause } from '../platform/clock.ts';
import { createCheck } from '../quality/check.ts';
import type { Opened } from '../storage/storage.ts';
import type { Connection, Member, Membership } from './api.ts';
import { createChannel, type Channel, type Told } from './channel.ts';
import { createCommands } from './commands.ts';
import { createElection } from './election.ts';
import { createLookedAt } from './looked-at.ts';
import { createMirror } from './mirror.ts';
import { whenLeft, type LeavingPage } from './page.ts';
import type { Locks, TabChannelConstructor } from './platform.ts';

export type MembershipOptions = {
  member: Member;
  locks: Locks | undefined;
  channel: TabChannelConstructor | undefined;
  page: LeavingPage;
};

/** Tabs of different formats do not talk to each other; the term in the storage keeps them apart. */
const format = 1;
/** How often a tab that is looked at makes sure of its leader. */
const checkMs = 20_000;
const storeRange = { minMs: 200, maxMs: 30_000 };

const idle: Connection = {
  status: { state: 'idle' },
  synced: false,
  quality: 'offline',
  features: [],
  aheadMs: 0,
};
const searching: Connection = { ...idle, status: { state: 'connecting' } };

/**
 * A tab among those that share its storage: it leads or follows, from `join` to `leave`. Here the parts meet: who leads
 * (election), what followers ask of the leader (commands), and what the leader tells them (mirror).
 *
 * Must hold: a leader has raised the term in the storage before it reads it; who hears of a newer term, is fenced, or
 * has lost its socket to another one, gives up. test/model/tabs.ts says why.
 */
export function createMembership({ member, locks, channel: Broadcast, page }: MembershipOptions): Membership {
  const { storage, clock, environment, random, fault } = member;
  const me = crypto.getRandomValues(new Uint32Array(4)).join('-');
  const mirror = createMirror(member);
  const looked = createLookedAt();
  /** Another socket takes this device's place again and again: it is a copy of this browser. */
  const isReplacedOften = createReplacedOften(clock);
  /** This tab's term while it leads; 0 if it is alone. */
  let own: number | null = null;
  /** The newest leader: its term, how many news it has told, and its connection. */
  let term = 0;
  let count = 0;
  let elsewhere = idle;
  let channel: Channel | null = null;
  let moving: Promise<void> = Promise.resolve();
  let stopWatching = (): void => {};

  const post: Channel['post'] = (note) => channel?.post(note);
  const isSearching = (): boolean => elsewhere === idle || elsewhere === searching;
  const announce = (): void => {
    if (own !== null) post({ type: 'lead', term: own, count, connection: member.connection() });
  };
  const connectionIs = (connection: Connection): void => {
    const before = elsewhere;
    elsewhere = connection;
    member.connectionChanged(before, connection);
  };

  /** From the raise on, nothing of an older leader is stored. */
  const raise = async (): Promise<Opened> => {
    const { term: before, ...found } = (await storage.open()) ?? { term: 0 };
    // The fraction tells two tabs apart that raise it at the same moment. An evicted storage begins at 0.
    const raised = Math.floor(Math.max(before, term)) + 1 + random();
    const meta = { ...member.writer.meta, ...found };
    await storage.write({ term: raised, meta });
    term = raised;
    return { ...meta, term: raised };
  };

  const begins = (opened: Opened): void => {
    own = opened.term;
    count = 0;
    member.lead(opened);
    announce();
    commands.leaderChanged();
  };

  const lead = async (isCurrent: () => boolean): Promise<void> => {
    post({ type: 'here' });
    const opened = await raise();
    await mirror.reread();
    if (isCurrent()) begins(opened);
  };

  const follow = (): void => {
    if (own === null) return;
    own = null;
    member.follow();
    connectionIs(searching);
    commands.leaderChanged();
  };

  const election = createElection({
    locks: locks!,
    name: () => `restante:${storage.name}`,
    clock,
    visible: () => environment.visible(),
    probe: () => post({ type: 'who' }),
    lead,
    follow,
    fault,
  });

  const commands = createCommands({
    acts: member.acts,
    leader: () => {
      if (own !== null) return 'this';
      return isSearching() ? 'nobody' : 'other';
    },
    post,
    asked: election.want,
  });

  const take = (note: Told): void => {
    const { type, from } = note;
    if (type === 'who' && election.holds) {
      if (own === null) post({ type: 'here' });
      else announce();
    } else if (type === 'do' && own !== null) commands.take(note);
    else if (type === 'looks') for (const id of looked.set(from, note.ids)) member.opened(id);
    else if (type === 'signed-out') member.signedOut();
    else if (type === 'done' && note.to === me) commands.take(note);
    else if (type === 'here') election.heard();
    else if (type === 'lead') led(note);
    else if (type === 'news' && note.term === term && own === null) {
      election.heard();
      if (note.count !== ++count) void mirror.reread();
      count = note.count;
      if ('connection' in note.news) connectionIs(note.news.connection);
      else mirror.take(note.news);
    } else if (type === 'news' && note.term > term) post({ type: 'who' });
  };

  const led = (note: Told & { type: 'lead' }): void => {
    if (note.term < term) return;
    election.heard();
    const isNew = note.term > term || isSearching();
    // That one may have been robbed by this one, and not known it when it raised the term.
    if (note.term > term) election.resign();
    term = note.term;
    if (isNew || note.count !== count) void mirror.reread();
    count = note.count;
    connectionIs(note.connection);
    if (!isNew) return;
    post({ type: 'looks', ids: looked.here });
    commands.leaderChanged();
  };

  const check = createCheck(clock, () => checkMs, election.want);

  const begin = (): void => {
    if (channel !== null || own !== null) return;
    if (locks === undefined || Broadcast === undefined || storage.name === undefined)
      return begins({ ...member.writer.meta, term: 0 });
    channel = createChannel(new Broadcast(`restante:${format}:${storage.name}`), me, take, fault);
    connectionIs(searching);
    const stand = (): void => {
      election.stand();
      post({ type: 'who' });
      election.want();
    };
    check.restart();
    const ends = [
      check.stop,
      whenLeft(page, election.withdraw),
      environment.watch((change) => void (change === 'visible' && stand())),
    ];
    stopWatching = () => {
      for (const end of ends) end();
    };
    stand();
  };

  const end = (connection: Connection): void => {
    stopWatching();
    election.withdraw();
    follow();
    channel?.close();
    channel = null;
    connectionIs(connection);
  };

  const repeated = async (work: () => Promise<void>, failed: (error: Error) => void): Promise<void> => {
    for (let tries = 0; ; tries++) {
      try {
        return await work();
      } catch (error) {
        failed(error as Error);
        await pause(clock, fullJitter(tries, storeRange, random));
      }
    }
  };

  const leave = (): Promise<void> =>
    (moving = moving.then(async () => {
      if (own !== null) await member.writer.flushed();
      end(idle);
    }));

  return {
    get elsewhere() {
      return own === null ? elsewhere : null;
    },
    acts: commands.acts,
    tell(news) {
      if (own === null) return;
      mirror.told(news);
      if (channel !== null) post({ type: 'news', term: own, count: ++count, news });
    },
    async store(entry) {
      // Stored where all tabs find it; a leader that dies before it is told finds it too.
      await repeated(
        () => storage.write({ outbox: { put: [entry] } }),
        (error) => fault(error, 'storage'),
      );
      // It fails while too many wait for an answer.
      void repeated(
        () => commands.acts.enqueue(entry),
        () => {},
      );
    },
    look(ids) {
      looked.here = ids;
      post({ type: 'looks', ids });
    },
    isLookedAt: looked.has,
    join: () => void (moving = moving.then(begin)),
    leave,
    replaced() {
      const stays = channel === null || isReplacedOften();
      if (stays) end({ ...idle, status: member.connection().status });
      else election.resign();
      return !stays;
    },
    fenced: election.resign,
    async close(how) {
      if (how?.signedOut === true) post({ type: 'signed-out' });
      await leave();
      commands.close();
    },
  };
}
