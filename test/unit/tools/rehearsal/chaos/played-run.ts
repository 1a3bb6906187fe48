import type { ChaosEvent, ClientId, Level, Recorded } from '../../../../../tools/rehearsal/chaos/recording.ts';

/**
 * A recording without any fault, played by a server in memory that keeps every promise. It says what a real one says in
 * as few words as possible, and does what it is told: who sends, amends, joins, leaves, is cut off, and when state is
 * lost.
 */
type Message = Record<string, unknown> & { id: string; conversation: string; seq: number; sender: string; at: number };
type Item = { position: number; message: Message };
type Conversation = {
  id: string;
  members: Set<string>;
  spans: Map<string, [number, number | null][]>;
  messages: Message[];
  /** The newest amendment of each message, by its seq. */
  amended: Map<number, Amended>;
  next: number;
};
type Amended = { amendSeq: number; version: number; action: string; by: string; at: number; body: unknown };
type Inbox = {
  entries: Item[];
  gaps: { position: number; conversation: string; fromSeq: number; toSeq: number }[];
  head: number;
};
type Connected = { client: ClientId; mode: string; asked: number };

/** More members than this, and live items have no position. */
const inboxMembers = 3;
const jump = 1_000_000;

export class PlayedRun {
  readonly events: Recorded[] = [];
  private readonly conversations = new Map<string, Conversation>();
  private readonly inboxes = new Map<string, Inbox>();
  private readonly connected = new Map<string, Connected>();
  private readonly connections = new Map<string, number>();
  private readonly positions = new Map<string, number>();
  private readonly knownEpochs = new Map<string, string>();
  private readonly readSeqs = new Map<string, number>();
  private epoch = 'epoch-1';
  private lostSince: number | null = null;
  private made = 0;
  private requests = 0;
  private losses = 0;

  constructor(mode: 'liveness' | 'safety' = 'liveness') {
    this.note({
      type: 'run',
      seed: 1,
      fault: 'F0',
      on: 'redis',
      store: 'sqlite',
      level: 'accepted',
      mode,
      fanoutMaxMembers: inboxMembers,
      startedAt: 1_760_000_000_000,
    });
  }

  note(event: ChaosEvent): void {
    const line = this.events.length + 1;
    this.events.push({ ...event, at: line * 10, line });
  }

  private sent(connected: Connected, frame: object): void {
    this.note({ type: 'sent', client: connected.client, text: JSON.stringify(frame) });
  }
  private received(connected: Connected, frame: object): void {
    this.note({ type: 'received', client: connected.client, text: JSON.stringify(frame) });
  }
  private inboxOf(user: string): Inbox {
    let inbox = this.inboxes.get(user);
    if (inbox === undefined) this.inboxes.set(user, (inbox = { entries: [], gaps: [], head: 0 }));
    return inbox;
  }

  private http(
    user: string | null,
    method: string,
    path: string,
    body: object | null,
    status: number,
    answer: unknown,
  ): void {
    const request = ++this.requests;
    this.note({ type: 'request', request, user, method, path, body: body === null ? null : JSON.stringify(body) });
    this.note({ type: 'answer', request, status, text: answer === null ? '' : JSON.stringify(answer) });
  }

  createGroup(id: string, members: string[]): void {
    const spans = new Map<string, [number, number | null][]>(members.map((user) => [user, [[0, null]]]));
    this.conversations.set(id, { id, members: new Set(members), spans, messages: [], amended: new Map(), next: 1 });
    this.http(null, 'POST', '/conversations', { id, members }, 201, {});
  }

  private direct(one: string, other: string): Conversation {
    const id = `d_${[one, other].sort().join('_')}`;
    let conversation = this.conversations.get(id);
    if (conversation === undefined) {
      const members = new Set([one, other]);
      const spans = new Map([...members].map((user) => [user, [[0, null]] as [number, number | null][]]));
      this.conversations.set(id, (conversation = { id, members, spans, messages: [], amended: new Map(), next: 1 }));
    }
    return conversation;
  }

  connect(user: string, device: string, mode = 'push'): void {
    const name = `${user}/${device}`;
    const connection = (this.connections.get(name) ?? 0) + 1;
    this.connections.set(name, connection);
    const connected: Connected = { client: { user, device, connection }, mode, asked: 0 };
    this.connected.set(name, connected);
    const known = this.knownEpochs.get(name);
    const reset = known !== undefined && known !== this.epoch;
    const asked = this.positions.get(name) ?? 0;
    this.note({ type: 'opened', client: connected.client, url: 'ws://127.0.0.1:1' });
    this.sent(connected, {
      type: 'hello',
      id: 'h',
      token: '-',
      device,
      mode,
      ...(known === undefined ? {} : { position: asked, epoch: known }),
    });
    if (reset) this.positions.set(name, 0);
    this.knownEpochs.set(name, this.epoch);
    const position = this.positions.get(name) ?? 0;
    const inbox = this.inboxOf(user);
    this.received(connected, {
      type: 'welcome',
      re: 'h',
      user,
      device,
      epoch: this.epoch,
      position,
      head: inbox.head,
      unread: { total: 0, conversations: this.summaries(user).filter(({ unread }) => unread > 0), more: false },
      ...(reset ? { reset: true, ...(this.lostSince === null ? {} : { lostSince: this.lostSince }) } : {}),
    });
    if (mode === 'push') for (const one of this.after(user, position)) this.push(connected, one);
  }

  private after(user: string, position: number): (Item | Inbox['gaps'][number])[] {
    const { entries, gaps } = this.inboxOf(user);
    return [...entries, ...gaps].filter((one) => one.position > position).sort((a, b) => a.position - b.position);
  }

  private push(connected: Connected, one: Item | Inbox['gaps'][number]): void {
    const { user } = connected.client;
    this.received(
      connected,
      'message' in one
        ? { type: 'deliver', items: [{ ...one, message: this.as(user, one.message) }] }
        : { type: 'gap', ...one },
    );
    this.seen(connected, one.position);
  }
  private seen({ client: { user, device } }: Connected, position: number): void {
    const name = `${user}/${device}`;
    this.positions.set(name, Math.max(this.positions.get(name) ?? 0, position));
  }

  /** Confirms everything, and makes sure that the server has read it. */
  receive(user: string, device: string): void {
    const connected = this.connected.get(`${user}/${device}`)!;
    this.sent(connected, { type: 'received', position: this.positions.get(`${user}/${device}`) ?? 0 });
    for (let count = 0; count < 2; count++) {
      const id = `q${++connected.asked}`;
      this.sent(connected, { type: 'ping', id });
      this.received(connected, { type: 'pong', re: id, head: this.inboxOf(user).head, epoch: this.epoch });
    }
  }

  cut(user: string, device: string): void {
    const { client } = this.connected.get(`${user}/${device}`)!;
    this.connected.delete(`${user}/${device}`);
    this.note({ type: 'closed', client, code: 1006, reason: '', by: 'client' });
  }

  private sees({ spans }: Conversation, user: string | null, seq: number): boolean {
    if (user === null) return true;
    return (spans.get(user) ?? []).some(([from, to]) => seq > from && (to === null || seq <= to));
  }

  /** The message as this user reads it now; a service (null) sees everything. */
  private as(user: string | null, message: Message): Message {
    const conversation = this.conversations.get(message.conversation)!;
    if (message['kind'] === 'restante.amend') {
      const { seq, action, version } = message['body'] as { seq: number; action: string; version: number };
      const { amendSeq, body } = conversation.amended.get(seq)!;
      const rest = amendSeq === message.seq ? (action === 'edit' ? { body } : {}) : { superseded: true };
      const isShown = this.sees(conversation, user, seq);
      return { ...message, body: { seq, action, version, ...(isShown ? rest : {}) } };
    }
    const found = conversation.amended.get(message.seq);
    if (found === undefined) return message;
    if (!this.sees(conversation, user, found.amendSeq))
      return { ...message, body: null, amended: { action: 'withheld' } };
    const { body, ...amended } = found;
    return { ...message, body, amended };
  }

  amend(user: string, device: string, group: string, seq: number, action: 'recall' | 'edit', text: string): void {
    const connected = this.connected.get(`${user}/${device}`)!;
    const conversation = this.conversations.get(group)!;
    const clientId = `a-${this.made + 1}`;
    const id = `q${++connected.asked}`;
    const body = action === 'edit' ? { text } : null;
    const asked = action === 'edit' ? { body } : {};
    this.sent(connected, { type: 'amend', conversation: group, seq, action, ...asked, clientId, id });
    const version = (conversation.amended.get(seq)?.version ?? 0) + 1;
    const message = this.append(conversation, {
      sender: user,
      clientId,
      kind: 'restante.amend',
      body: { seq, action, version },
    });
    const { seq: amendSeq, at } = message;
    conversation.amended.set(seq, { amendSeq, version, action, by: user, at, body });
    this.received(connected, {
      ...{ type: 'amended', re: id, conversation: group, seq, action },
      ...{ by: user, at, version, amendSeq },
    });
    this.spread(conversation, message, conversation.members, `${user}/${device}`);
  }

  private append(conversation: Conversation, fields: Record<string, unknown>): Message {
    const seq = conversation.next++;
    const number = ++this.made;
    const message = {
      id: `1-${number}`,
      conversation: conversation.id,
      seq,
      at: 1_760_000_000_000 + number * 1000,
      ...fields,
      class: 'normal',
    } as unknown as Message;
    conversation.messages.push(message);
    return message;
  }

  /** Hands a message to all who may see it, but for the device that sent it. */
  private spread(conversation: Conversation, message: Message, to: Iterable<string>, by: string | null): void {
    const large = conversation.members.size > inboxMembers;
    for (const user of to) {
      const inbox = this.inboxOf(user);
      const item = large ? { message } : { position: ++inbox.head, message };
      if (!large) inbox.entries.push(item as Item);
      for (const [name, connected] of this.connected) {
        if (connected.client.user !== user || name === by || connected.mode !== 'push') continue;
        this.received(connected, { type: 'deliver', items: [{ ...item, message: this.as(user, message) }] });
        if ('position' in item) this.seen(connected, item.position);
      }
    }
  }

  /** `repeat`: the answer is lost on the way, and the same is sent again. */
  send(
    user: string,
    device: string,
    target: { to: string } | { conversation: string },
    text: string,
    how: { repeat?: boolean; level?: Level } = {},
  ): void {
    const connected = this.connected.get(`${user}/${device}`)!;
    const conversation = 'to' in target ? this.direct(user, target.to) : this.conversations.get(target.conversation)!;
    const clientId = `c-${this.made + 1}`;
    const ask = (): string => {
      const id = `q${++connected.asked}`;
      this.sent(connected, { type: 'send', clientId, ...target, kind: 'text', body: { text }, id });
      return id;
    };
    let re = ask();
    const message = this.append(conversation, { sender: user, clientId, kind: 'text', body: { text } });
    this.readSeqs.set(`${user} ${conversation.id}`, message.seq);
    if (how.repeat === true) re = ask();
    const { id, seq, at } = message;
    this.received(connected, {
      type: 'accepted',
      re,
      clientId,
      message: { id, conversation: conversation.id, seq, at },
      ...(how.repeat === true ? { duplicate: true } : {}),
      ...(how.level === undefined ? {} : { level: how.level }),
    });
    this.spread(conversation, message, conversation.members, `${user}/${device}`);
  }

  change(group: string, user: string, operation: 'join' | 'leave'): void {
    const conversation = this.conversations.get(group)!;
    const action = operation === 'join' ? 'joined' : 'removed';
    const path = `/conversations/${group}/members/${user}`;
    this.http(null, operation === 'join' ? 'PUT' : 'DELETE', path, null, 204, null);
    const message = this.append(conversation, {
      sender: 'backend',
      clientId: `m-${this.made}`,
      kind: 'restante.membership',
      body: { user, action },
    });
    const mine = conversation.spans.get(user) ?? [];
    conversation.spans.set(user, mine);
    if (operation === 'join') {
      conversation.members.add(user);
      mine.push([message.seq - 1, null]);
      this.readSeqs.set(`${user} ${group}`, message.seq - 1);
    } else {
      conversation.members.delete(user);
      mine.at(-1)![1] = message.seq;
    }
    this.spread(conversation, message, new Set([...conversation.members, user]), null);
  }

  /** The inbox forgets its oldest entries, or all, and says so. */
  cutInbox(user: string, count = Number.MAX_SAFE_INTEGER): void {
    const inbox = this.inboxOf(user);
    for (const { position, message } of inbox.entries.splice(0, count))
      inbox.gaps.push({ position, conversation: message.conversation, fromSeq: message.seq, toSeq: message.seq });
  }

  /** What a large group said while this user was away, as a gap. */
  announce(user: string, group: string, fromSeq: number): void {
    const inbox = this.inboxOf(user);
    inbox.gaps.push({
      position: ++inbox.head,
      conversation: group,
      fromSeq,
      toSeq: this.conversations.get(group)!.next - 1,
    });
  }

  /** The newest messages of a conversation are lost, and everybody is told so. */
  lose(group: string, count: number): void {
    this.note({ type: 'loss-possible', fault: 'F7a', upTo: 'accepted' });
    for (const name of [...this.connected.keys()]) this.cut(...(name.split('/') as [string, string]));
    const conversation = this.conversations.get(group)!;
    const lost = conversation.messages.splice(-count);
    this.lostSince = lost[0]!.at;
    this.losses += 1;
    this.epoch = `epoch-${this.losses + 1}`;
    conversation.next = this.losses * jump + 1;
    for (const inbox of this.inboxes.values()) {
      inbox.entries = inbox.entries.filter(({ message }) => !lost.includes(message));
      // What was in the inbox comes as a gap: positions begin beyond all that were given.
      const kept = inbox.entries.splice(0);
      inbox.head = this.losses * jump;
      inbox.gaps = [];
      for (const { message } of kept)
        inbox.gaps.push({
          position: ++inbox.head,
          conversation: message.conversation,
          fromSeq: message.seq,
          toSeq: message.seq,
        });
    }
    for (const key of this.readSeqs.keys())
      if (key.endsWith(` ${group}`))
        this.readSeqs.set(key, Math.min(this.readSeqs.get(key)!, conversation.messages.at(-1)?.seq ?? 0));
  }

  private visible(conversation: Conversation, user: string): Message[] {
    const spans = conversation.spans.get(user) ?? [];
    return conversation.messages.filter(({ seq }) =>
      spans.some(([from, to]) => seq > from && (to === null || seq <= to)),
    );
  }

  private summaries(user: string) {
    return [...this.conversations.values()]
      .filter(({ members }) => members.has(user))
      .map((conversation) => {
        const seen = this.visible(conversation, user);
        const readSeq = this.readSeqs.get(`${user} ${conversation.id}`) ?? 0;
        const isRecalled = ({ seq }: Message): boolean => conversation.amended.get(seq)?.action === 'recall';
        const news = seen.filter((message) => message['kind'] !== 'restante.amend' && !isRecalled(message));
        const last = news.at(-1);
        return {
          conversation: conversation.id,
          unread: news.filter(({ seq }) => seq > readSeq).length,
          readSeq,
          lastSeq: seen.at(-1)?.seq ?? conversation.spans.get(user)!.at(-1)![0],
          last: last === undefined ? null : this.as(user, last),
        };
      });
  }

  private absent({ messages }: Conversation): { fromSeq: number; toSeq: number }[] {
    const ranges: { fromSeq: number; toSeq: number }[] = [];
    let next = 1;
    for (const { seq } of messages) {
      if (seq > next) ranges.push({ fromSeq: next, toSeq: seq - 1 });
      next = seq + 1;
    }
    return ranges;
  }

  /** Everything is quiet, and the final state is read. */
  end(): Recorded[] {
    this.note({ type: 'sending-stopped' });
    this.note({ type: 'drained', tookMs: 5, missing: [] });
    this.note({ type: 'dump-begun' });
    const users = new Set([...this.conversations.values()].flatMap(({ spans }) => [...spans.keys()]));
    for (const conversation of this.conversations.values()) {
      const { id, messages } = conversation;
      const path = `/conversations/${id}/messages?after=0&limit=100`;
      this.http(null, 'GET', path, null, 200, {
        conversation: id,
        messages: messages.map((message) => this.as(null, message)),
        more: false,
        absent: this.absent(conversation),
      });
    }
    for (const user of users) {
      const { entries, gaps, head } = this.inboxOf(user);
      this.http(user, 'GET', '/inbox?limit=200', null, 200, {
        items: entries.map((item) => ({ ...item, message: this.as(user, item.message) })),
        gaps,
        next: head,
        more: false,
        epoch: this.epoch,
      });
      const conversations = this.summaries(user).map(({ conversation, ...rest }) => ({ id: conversation, ...rest }));
      this.http(user, 'GET', '/conversations?limit=100', null, 200, { conversations });
      this.connect(user, 'fresh', 'pull');
      const connected = this.connected.get(`${user}/fresh`)!;
      for (const conversation of this.conversations.values()) {
        if (!conversation.spans.has(user)) continue;
        const id = `q${++connected.asked}`;
        this.sent(connected, { type: 'history', conversation: conversation.id, limit: 100, id });
        const messages = this.visible(conversation, user)
          .toReversed()
          .map((message) => this.as(user, message));
        this.received(connected, {
          type: 'history',
          re: id,
          conversation: conversation.id,
          messages,
          more: false,
          absent: [],
        });
      }
    }
    this.note({ type: 'dump-ended', complete: true });
    return this.events;
  }
}
