import { Refusal } from '../../shared/model/errors.ts';
import type { Metrics } from '../../shared/process/metrics.ts';
import { acceptedFrame, historyFrame, pageFrame } from '../../shared/protocol/frame-text.ts';
import type { Inboxes } from '../../shared/redis/inboxes/inboxes.ts';
import { directConversation } from '../../shared/redis/keys.ts';
import type { Admit } from '../auth/disconnect-user.ts';
import type { NoteRefusal } from '../error-log.ts';
import type { Budgets, Spender } from '../limits/budgets.ts';
import { unusedIsEmpty, type Views } from '../reads/conversation-views.ts';
import type { HistoryPages } from '../reads/history-pages.ts';
import type { InboxPages } from '../reads/inbox-pages.ts';
import type { Sending } from '../sends/sending.ts';
import type { Advances } from '../session/received-positions.ts';
import type { Connection, Desk, FrameOf } from '../socket/connection.ts';

/** Answers the frames of all connections: one small handler for each type. */
export function createDesk(parts: {
  hello: Desk['hello'];
  budgets: Pick<Budgets, 'take' | 'tolerates'>;
  sending: Sending;
  inboxes: Inboxes;
  inboxPage: InboxPages;
  history: HistoryPages;
  views: Views;
  advances: Advances;
  admit: Admit;
  metrics: Metrics;
  noteRefusal: NoteRefusal;
  faulted: Desk['faulted'];
  closed: Desk['closed'];
}): Desk {
  const { inboxes, history, views, metrics, budgets } = parts;

  const spender = ({ session, service }: Connection): Spender => ({ user: session!.user, service });

  const target = (user: string, frame: { conversation?: string | undefined; to?: string | undefined }): string =>
    frame.conversation ?? directConversation(user, frame.to!);

  async function sync(connection: Connection, { id, after, limit, epoch }: FrameOf<'sync'>): Promise<string> {
    const session = connection.session!;
    const page = await parts.inboxPage(session.user, after, limit ?? 200, { epoch });
    await session.confirm(after);
    if (session.mode === 'lazy') parts.advances.advance(session, after);
    return pageFrame(id, page);
  }

  async function readHistory({ session }: Connection, frame: FrameOf<'history'>): Promise<string> {
    const conversation = target(session!.user, frame);
    const page = await history
      .page(conversation, session!.user, frame)
      .catch(unusedIsEmpty(frame.to !== undefined, { conversation, messages: [], more: false, absent: [] }));
    return historyFrame(frame.id, page);
  }

  async function read({ session }: Connection, frame: FrameOf<'read'>): Promise<string> {
    const conversation = target(session!.user, frame);
    const seq = await views
      .read(session!.user, conversation, frame.seq)
      .catch(unusedIsEmpty(frame.to !== undefined, 0));
    return JSON.stringify({ type: 'read', re: frame.id, conversation, seq });
  }

  async function reauth(connection: Connection, { id, token }: FrameOf<'reauth'>): Promise<string> {
    const { user, device } = connection.session!;
    const principal = await parts.admit(token, device);
    if (principal.user !== user || (principal.device !== null && principal.device !== device)) {
      throw new Refusal('forbidden', 'the token belongs to somebody else');
    }
    connection.expiresAt = principal.expiresAt;
    connection.service = principal.service;
    return JSON.stringify({ type: 'ok', re: id, expiresAt: principal.expiresAt });
  }

  return {
    hello: parts.hello,

    async send({ session, service }, frame) {
      const accepted = await parts.sending(
        { user: session!.user, service: false, unlimited: service, device: session!.device },
        frame,
      );
      return acceptedFrame(frame.id, frame.clientId, accepted);
    },

    /** One that confirms something new is as many as were pushed; any other counts as a frame. */
    async received(connection, { position }) {
      const session = connection.session!;
      if (position <= session.received) budgets.take('frame', spender(connection));
      await session.confirm(position);
    },

    async request(connection, frame) {
      const who = spender(connection);
      budgets.take('frame', who);
      if (frame.type === 'sync' || frame.type === 'history' || frame.type === 'read') budgets.take('read', who);
      switch (frame.type) {
        case 'sync':
          return sync(connection, frame);
        case 'history':
          return readHistory(connection, frame);
        case 'read':
          return read(connection, frame);
        case 'reauth':
          return reauth(connection, frame);
        case 'ping':
          return JSON.stringify({
            type: 'pong',
            re: frame.id,
            head: await inboxes.head(connection.session!.user),
            epoch: connection.session!.epoch,
          });
      }
    },

    refused(connection, refusal) {
      parts.noteRefusal(refusal, 'socket');
      return connection.session === null || budgets.tolerates(refusal.code, spender(connection));
    },
    faulted: parts.faulted,
    closing: (code) => metrics.closed.inc({ code }),
    closed: parts.closed,
  };
}
