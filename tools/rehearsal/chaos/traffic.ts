import { setTimeout as pause } from 'node:timers/promises';
import { directConversation } from '../../../shared/model/ids.ts';
import { createRandom } from '../irc/random.ts';
import { createAmender, type Amender } from './clients/amender.ts';
import { createBodies } from './clients/bodies.ts';
import { createDevice, type Device, type Mode } from './clients/device.ts';
import { createGroups } from './clients/groups.ts';
import { createHttp } from './clients/http.ts';
import { createOutbox, type Outbox } from './clients/outbox.ts';
import { createSender, type Sender } from './clients/sender.ts';
import { dump } from './dump.ts';
import { readChatter } from './irc-chatter.ts';
import type { Level, Recording } from './recording.ts';

/**
 * The traffic of a chaos run: users with one to three devices each, who write to each other and to groups whose members
 * change, have second thoughts about what they wrote, lose their connections, and come back. Everything is recorded;
 * nothing is judged here. What each of them does is in clients/; this file alone knows all of them.
 */
export type TrafficOptions = {
  /** The gateways as `ws://host:port`; asked for each connection and request. */
  urls(): readonly string[];
  /** A token of a user; of a service if `user` is null. */
  token(user: string | null): string | Promise<string>;
  recording: Recording;
  seed: number;
  /** What each send asks for. Default: `accepted`. */
  level?: Level;
  /** Messages a second. Default: 60. */
  rate?: number;
  /** Default: 30; at least 20. */
  users?: number;
  /** A folder of logs of IRC channels, one file a day; without it nobody says what was said there. */
  ircFolder?: string;
};

export type Traffic = {
  /** How many messages were accepted, repetitions not counted apart. */
  readonly accepted: number;
  /** Calls `act` once after the next message that is accepted. */
  onAccepted(act: () => void): void;
  /** No new messages, amendments and changes of members; what has no answer yet is repeated. Everybody comes back. */
  stopSending(): void;
  /** Resolves once every message, amendment and change of members has its answer, or the time is over. */
  answered(withinMs: number): Promise<void>;
  /**
   * Resolves once every message has its answer, and every device has everything or was told of it; false if that takes
   * longer than this. What is missing is in the recording.
   */
  drained(withinMs: number): Promise<boolean>;
  /** Reads the final state into the recording. */
  dump(withinMs?: number): Promise<void>;
  /** Ends all connections. */
  close(): void;
};

/** Settings of a cluster for this traffic: groups that cross the limit of inboxes, inboxes that overflow. */
export const trafficEnv = {
  FANOUT_MAX_MEMBERS: '12',
  INBOX_MAX_ENTRIES: '200',
  RATE_LIMITS: 'off',
  SEND_RATE_PER_USER: '0',
} as const;

/** A position above every head, and one of another epoch. */
const toBeRefused = [
  { type: 'received', position: 1_000_000_000_000 },
  { type: 'sync', after: 0, epoch: 'an-older-epoch' },
] as const;
const tickMs = 20;
/** More messages without an answer are not begun: an outage must not fill the memory. */
const mostOpen = 200;
/** Time for a service to create the groups. */
const setUpMs = 30_000;
const slowBytesPerSecond = 4096;
const lookMs = 200;
/** Time in which what is on its way once more may still come. */
const settleMs = 1000;

export async function startTraffic(options: TrafficOptions): Promise<Traffic> {
  const { urls, token, recording, seed, level = 'accepted', rate = 60 } = options;
  const random = createRandom(seed);
  const own = (): ReturnType<typeof createRandom> => createRandom(random.between(0, 2 ** 31));
  const users = Array.from({ length: Math.max(20, options.users ?? 30) }, (_, number) => `u${number}`);
  const pickUrl = own();
  const http = createHttp({ urls, token, recording, pick: (from) => pickUrl.pick(from) });
  let insistUntil = performance.now() + setUpMs;
  let accepted = 0;
  let hearers: (() => void)[] = [];
  /** Every conversation with those who may ever have been members. */
  const conversations = new Map<string, Set<string>>();
  const mayHaveBeen = (conversation: string, ...members: string[]): void => {
    let all = conversations.get(conversation);
    if (all === undefined) conversations.set(conversation, (all = new Set()));
    for (const member of members) all.add(member);
  };

  const senders = new Map<string, Sender>();
  const amenders: Amender[] = [];
  const outboxes = new Map<string, Outbox>();
  const devices: Device[] = [];
  for (const [number, user] of users.entries()) {
    /** The losses that the user was told of and has dealt with. */
    const told = new Set<string>();
    const mine = Array.from({ length: 1 + (number % 3) }, (_, index): Device => {
      const mode: Mode = index === 0 ? 'push' : index === 1 ? (number % 2 === 0 ? 'pull' : 'push') : 'lazy';
      return createDevice({
        user,
        name: `d${index}`,
        mode,
        ...(number === 2 && index === 0 ? { slowBytesPerSecond } : {}),
        urls,
        token,
        recording,
        random: own(),
        welcome({ epoch, reset, lostSince }) {
          if (reset !== true || lostSince === undefined) return;
          const loss = `${epoch} ${lostSince}`;
          if (told.has(loss)) return;
          told.add(loss);
          outboxes.get(user)!.repeatSince(lostSince);
        },
      });
    });
    devices.push(...mine);
    const outbox = createOutbox(mine, http, own());
    const amender = createAmender({ user, outbox, random: own(), level });
    outboxes.set(user, outbox);
    amenders.push(amender);
    senders.set(
      user,
      createSender({
        user,
        outbox,
        random: own(),
        level,
        accepted(sent) {
          accepted += 1;
          const now = hearers;
          hearers = [];
          for (const hear of now) hear();
          amender.consider(sent);
        },
      }),
    );
  }

  const spread = (from: number, count: number): string[] => users.slice(from, from + count);
  const plans = [
    { id: 'crossing', members: spread(0, 11), byService: true },
    { id: 'crowd', members: spread(4, 16), byService: true },
    { id: 'room1', members: spread(0, 4), byService: false },
    { id: 'room2', members: spread(3, 6), byService: false },
    { id: 'room3', members: spread(8, 8), byService: false },
    { id: 'irc', members: spread(0, 1), byService: true },
  ];
  const groups = await createGroups(plans, http, own(), () => insistUntil);
  for (const { id, members } of plans) mayHaveBeen(id, ...members);
  const irc = groups.all.at(-1)!;
  const chatter = options.ircFolder === undefined ? null : readChatter(options.ircFolder, users.slice(1), own());
  const body = createBodies(own());
  for (const device of devices) device.comeBack();

  const join = (group: (typeof groups.all)[number], user: string): void => {
    mayHaveBeen(group.id, user);
    groups.join(group, user);
  };

  function saySomething(): void {
    if (chatter !== null && random.chance(0.15)) {
      const step = chatter();
      if (step.type === 'join') join(irc, step.user);
      else if (step.type === 'leave') groups.leave(irc, step.user);
      else if (irc.members.has(step.user)) senders.get(step.user)!.send({ conversation: irc.id }, { text: step.text });
      return;
    }
    const from = random.between(0, users.length - 1);
    const user = users[from]!;
    const sender = senders.get(user)!;
    const mine = groups.all.filter((group) => group !== irc && group.members.has(user));
    if (mine.length > 0 && random.chance(0.4)) {
      sender.send({ conversation: random.pick(mine).id }, body());
      return;
    }
    // A few peers each, so that conversations grow; now and then to oneself.
    const peer = random.chance(0.02)
      ? user
      : users[(from + random.pick([1, 2, 5, -1, -2, -5]) + users.length) % users.length]!;
    mayHaveBeen(directConversation(user, peer), user, peer);
    const messages = random.chance(0.1) ? random.between(2, 6) : 1;
    for (let count = 0; count < messages; count++) sender.send({ to: peer }, body());
  }

  function changeMembers(): void {
    const group = random.pick(groups.all.filter((one) => one !== irc));
    const others = users.filter((user) => !group.members.has(user));
    // `crossing` moves around the limit of inboxes, the others keep about their size.
    const grows = group.id === 'crossing' ? group.members.size < random.between(10, 15) : random.chance(0.5);
    if (grows && others.length > 0) join(group, random.pick(others));
    else if (group.members.size > 2) groups.leave(group, random.pick([...group.members]));
  }

  function disturb(): void {
    const device = random.pick(devices);
    if (!device.isConnected) return;
    if (random.chance(0.1)) void device.ask(random.pick(toBeRefused));
    else if (device.mode !== 'push' && random.chance(0.6)) void device.sync();
    else if (random.chance(0.3))
      void device.ask({ type: 'read', conversation: random.pick(groups.all).id, seq: 1_000_000_000 });
    else device.leave(random.chance(0.5) ? 'cut' : 'close', random.between(0, random.chance(0.2) ? 6000 : 800));
  }

  let sending = true;
  const open = (): number => [...outboxes.values()].reduce((sum, outbox) => sum + outbox.open, 0);
  let owed = 0;
  let tickedAt = performance.now();
  const ticker = setInterval(() => {
    const now = performance.now();
    const passed = now - tickedAt;
    tickedAt = now;
    // As long as it runs, a change of members may wait for its answer.
    insistUntil = now + setUpMs;
    owed = Math.min(rate, owed + (rate * passed) / 1000);
    for (; owed >= 1; owed--) {
      if (open() >= mostOpen) continue;
      saySomething();
      if (random.chance(0.08)) changeMembers();
    }
    if (random.chance(0.15)) disturb();
  }, tickMs);

  /** The newest seq of every conversation by the members' own list; null if it cannot be had now. */
  async function newestOf(user: string): Promise<Map<string, number> | null> {
    const answer = await http.request(user, 'GET', '/conversations?limit=100');
    if (answer?.status !== 200) return null;
    const { conversations: list } = answer.body as { conversations: { id: string; lastSeq: number }[] };
    return new Map(list.map(({ id, lastSeq }) => [id, lastSeq]));
  }

  /** What this device still lacks, as text; null if it lacks nothing. */
  async function lacking(device: Device, newest: Map<string, number>): Promise<string | null> {
    const who = `${device.user}/${device.name}`;
    if (!device.isConnected) return `${who} is not connected`;
    if (device.mode !== 'push' && !(await device.sync())) return `${who} cannot read its inbox`;
    for (const [conversation, seq] of newest) {
      const upTo = device.coverage.upTo(conversation);
      if (upTo < seq) return `${who} has ${conversation} up to ${upTo} of ${seq}`;
    }
    return device.unreadGaps > 0 ? `${who} has ${device.unreadGaps} gaps to read` : null;
  }

  return {
    get accepted() {
      return accepted;
    },
    onAccepted: (act) => void hearers.push(act),
    stopSending() {
      if (!sending) return;
      sending = false;
      clearInterval(ticker);
      for (const amender of amenders) amender.stop();
      recording.note({ type: 'sending-stopped' });
      for (const device of devices) {
        device.hurry();
        device.comeBack();
      }
    },
    async answered(withinMs) {
      const until = performance.now() + withinMs;
      insistUntil = until;
      while (performance.now() < until && open() + groups.open > 0) await pause(lookMs);
    },
    async drained(withinMs) {
      const began = performance.now();
      const until = began + withinMs;
      insistUntil = until;
      let missing: string[] = ['nothing was asked yet'];
      while (performance.now() < until && missing.length > 0) {
        missing = [];
        if (open() > 0) missing.push(`${open()} messages and amendments have no answer`);
        if (groups.open > 0) missing.push(`${groups.open} changes of members have no answer`);
        if (missing.length === 0) {
          const newest = new Map(await Promise.all(users.map(async (user) => [user, await newestOf(user)] as const)));
          const found = await Promise.all(
            devices.map(async (device) => {
              const mine = newest.get(device.user)!;
              return mine === null ? `${device.user} cannot read its conversations` : lacking(device, mine);
            }),
          );
          missing = found.filter((one) => one !== null);
        }
        if (missing.length > 0) await pause(lookMs);
      }
      await pause(settleMs);
      recording.note({ type: 'drained', tookMs: Math.round(performance.now() - began - settleMs), missing });
      return missing.length === 0;
    },
    dump: (withinMs = 60_000) => dump({ urls, token, http, recording, users, conversations, withinMs }),
    close() {
      clearInterval(ticker);
      for (const amender of amenders) amender.stop();
      for (const outbox of outboxes.values()) outbox.stop();
      for (const device of devices) device.close();
    },
  };
}
