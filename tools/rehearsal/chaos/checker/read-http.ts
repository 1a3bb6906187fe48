import type { HttpEvent } from '../recording.ts';
import type { AmendOutcome, Attempt, Facts, MemberChange } from './facts.ts';
import { amendOutcomeOf, outcomeOf, targetOf } from './read-frames.ts';
import type { Place, RawGap, RawItem, RawMessage, Sightings } from './sightings.ts';

type Request = Extract<HttpEvent, { type: 'request' }>;
type Answer = Extract<HttpEvent, { type: 'answer' }>;
type Asked = {
  line: number;
  request: Request;
  path: string;
  query: URLSearchParams;
  attempt?: Attempt;
  amending?: Attempt<AmendOutcome>;
  change?: MemberChange;
};

const codeOf = (body: unknown): string => (body as { error?: { code?: string } } | null)?.error?.code ?? 'none';

/** HTTP requests and their answers, in the order of the recording. */
export function createHttpReader(facts: Facts, sightings: Sightings) {
  const asked = new Map<number, Asked>();

  function request(line: number, event: Request): void {
    const [path, query] = event.path.split('?') as [string, string | undefined];
    const ask: Asked = { line, request: event, path, query: new URLSearchParams(query ?? '') };
    asked.set(event.request, ask);
    const body = event.body === null ? {} : (JSON.parse(event.body) as Record<string, unknown>);
    const member = /^\/conversations\/([^/]+)\/members\/([^/]+)$/.exec(path);
    const amended = /^\/conversations\/([^/]+)\/messages\/(\d+)\/amend$/.exec(path);
    if (event.method === 'POST' && path === '/messages') {
      ask.attempt = { line, connection: null, outcome: null };
      const sender = String(event.user ?? body['sender']);
      sightings
        .send({ sender, clientId: String(body['clientId']), target: targetOf(body) }, body)
        .attempts.push(ask.attempt);
    } else if (event.method === 'POST' && amended !== null) {
      ask.amending = { line, connection: null, outcome: null };
      const by = String(event.user ?? body['sender']);
      const key = { by, clientId: String(body['clientId'] ?? `#${line}`), conversation: amended[1]! };
      sightings.amend({ ...key, seq: Number(amended[2]) }, body).attempts.push(ask.amending);
    } else if (member !== null) {
      const operation = event.method === 'PUT' ? 'join' : 'leave';
      ask.change = { line, conversation: member[1]!, user: member[2]!, operation, refused: false };
      facts.changes.push(ask.change);
    } else if (event.method === 'POST' && path === '/conversations') {
      const members = [...(event.user === null ? [] : [event.user]), ...(body['members'] as string[])];
      facts.creations.push({ line, conversation: String(body['id']), members });
    }
  }

  const place = (line: number, ask: Asked, path: Place['path'], epoch: string | null = null): Place => ({
    line,
    path,
    user: ask.request.user,
    connection: null,
    epoch,
    asked: ask.line,
  });

  function inbox(line: number, ask: Asked, status: number, body: unknown): void {
    const named = ask.query.get('epoch');
    const user = ask.request.user!;
    if (status !== 200) {
      if (named !== null) facts.epochAsks.push({ line, user, asked: named, answer: null, code: codeOf(body) });
      return;
    }
    const page = body as { items: RawItem[]; gaps: RawGap[]; epoch: string };
    sightings.epoch(page.epoch, line);
    for (const item of page.items) sightings.item(item, place(line, ask, 'inbox', page.epoch));
    for (const gap of page.gaps) sightings.gap(gap, { line, user, connection: null, epoch: page.epoch });
    if (named !== null) facts.epochAsks.push({ line, user, asked: named, answer: page.epoch, code: null });
  }

  function list(line: number, ask: Asked, body: unknown): void {
    type Listed = { id: string; unread: number; readSeq: number; lastSeq: number; last: RawMessage | null };
    const { conversations, next } = body as { conversations: Listed[]; next?: string };
    const user = ask.request.user!;
    const final = facts.dumpBegun !== null;
    for (const { id, unread, readSeq, lastSeq, last } of conversations) {
      facts.summaries.push({ line, from: 'list', user, conversation: id, unread, readSeq, lastSeq, final });
      if (last !== null) sightings.message(last, place(line, ask, 'last'));
    }
    if (final && next === undefined) facts.listed.add(user);
  }

  function history(line: number, ask: Asked, conversation: string, body: unknown): void {
    const { messages, absent } = body as { messages: RawMessage[]; absent: { fromSeq: number; toSeq: number }[] };
    for (const message of messages) sightings.message(message, place(line, ask, 'history'));
    facts.pages.push({
      line,
      conversation,
      user: ask.request.user,
      seqs: messages.map(({ seq }) => seq),
      absent,
      final: facts.dumpBegun !== null,
    });
  }

  function answer(line: number, event: Answer): void {
    const ask = asked.get(event.request);
    if (ask === undefined) return;
    asked.delete(event.request);
    const { status, text } = event;
    const { method } = ask.request;
    if (status === null) {
      for (const attempt of [ask.attempt, ask.amending])
        if (attempt !== undefined) attempt.outcome = { kind: 'unknown', line, code: null };
      return;
    }
    const body: unknown = text === '' ? null : JSON.parse(text);
    const done = status < 300;
    if (ask.attempt !== undefined)
      ask.attempt.outcome = outcomeOf(line, body as Record<string, unknown>, done ? null : codeOf(body));
    else if (ask.amending !== undefined)
      ask.amending.outcome = amendOutcomeOf(line, body as Record<string, unknown>, done ? null : codeOf(body));
    else if (ask.change !== undefined) ask.change.refused = !done && status < 500;
    else if (method === 'GET' && ask.path === '/inbox') inbox(line, ask, status, body);
    else if (method === 'GET' && ask.path === '/conversations' && done) list(line, ask, body);
    else if (method === 'GET' && done) {
      const messages = /^\/conversations\/([^/]+)\/messages$/.exec(ask.path);
      if (messages !== null) history(line, ask, messages[1]!, body);
    }
  }

  return { request, answer };
}
