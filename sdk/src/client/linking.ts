import { closeCodes } from '../close-codes.ts';
import { createLink } from '../link/link.ts';
import { createReplacedOften } from '../link/replaced-often.ts';
import { createCheck } from '../quality/check.ts';
import { Refusal } from '../refusal.ts';
import { version } from '../version.ts';
import type { Frame, Pong } from '../wire.ts';
import type { ClientOptions } from './api.ts';
import { nameDevice, namedDevice, newDevice } from './device-id.ts';
import { createHttp } from './http.ts';
import type { Inside } from './inside.ts';

/** The connection of this client, and what is told of it to the others. */
export function createLinking(inside: Inside): Pick<Inside, 'link' | 'check' | 'insist' | 'http'> {
  const { options, clock, random, environment, isLazy, fault, observe, meter, backlog, writer } = inside;
  const { waiting, connection, conversations } = inside;
  let token: string | null = null;
  const getToken: ClientOptions['getToken'] = async (request) => (token = await options.getToken(request));

  const check = createCheck(
    clock,
    () => meter.pace.checkMs,
    () => void link.ask({ type: 'ping' }).catch(() => {}),
  );

  const isUnnamed = (): boolean => options.device === undefined && writer.meta.device !== namedDevice();
  const isCloned = createReplacedOften(clock);
  /** The place in the inbox stays: this copy has what it covers. */
  const renameDevice = (): void => {
    const device = newDevice();
    nameDevice(device);
    fault(new Error('another copy of this profile is in use: this one is a device of its own now'), 'cloned');
    writer.change({ run: (transaction) => transaction.setMeta({ device }), stored: () => link.connect() });
  };

  /** The user is known, and what was taken before is stored. */
  const ready = (): void => {
    waiting.endUserKnown();
    if (!link.usable) return;
    inside.outbox.open();
    const shown = conversations.all().filter(({ isOpen }) => isOpen);
    inside.reads.ask(...shown.map(({ id }) => id)).catch((error: unknown) => fault(error as Error, 'reads'));
    for (const conversation of shown) conversation.refresh();
  };

  const link = createLink({
    ...options,
    getToken,
    clock,
    environment,
    random,
    get device() {
      return writer.meta.device;
    },
    // A device that nobody will name again is not one to remember.
    hello: () => ({
      client: `restante-client/${version}`,
      mode: isLazy || backlog.isRead ? 'lazy' : 'push',
      pageItems: meter.pace.backlogItems,
      ...(inside.storage.state === 'memory' && isUnnamed() ? { ephemeral: true } : {}),
      ...inside.intake.hello(),
    }),
    limits: () => meter.pace,
    events: {
      status(next) {
        if (next.state === 'connecting') observe({ type: 'attempt' });
        meter.status(next);
        if (next.code === closeCodes.tooSlow) backlog.tooSlow();
        if (next.code === closeCodes.replaced && next.state === 'closed' && inside.tabs?.replaced() === true) return;
        connection.changed();
        const mayBeCloned = inside.tabs === undefined && options.device === undefined;
        if (next.code === closeCodes.replaced && mayBeCloned && isCloned()) renameDevice();
      },
      request(request) {
        const { type, ms, outcome, answer } = request;
        observe({ type: 'request', name: type, ms, outcome });
        meter.request(request);
        if (type !== 'ping' || outcome !== 'ok') return;
        check.restart();
        inside.intake.pong(answer as unknown as Pong);
      },
      traffic(direction, frame, length) {
        const { type: name, re } = frame;
        observe(
          re === undefined
            ? { type: 'frame', direction, name, length }
            : { type: 'frame', direction, name, length, re },
        );
        meter.traffic(direction, frame, length);
      },
      welcome(welcome) {
        if (writer.meta.user !== null && writer.meta.user !== welcome.user) {
          fault(new Error(`the storage belongs to ${writer.meta.user}, the token to ${welcome.user}`), 'other_user');
          return 'other_user';
        }
        connection.setSynced(false);
        inside.intake.welcomed(welcome, (transaction) => {
          if (welcome.reset === true && welcome.lostSince !== undefined)
            inside.outbox.repeatSince(transaction, welcome.lostSince);
        });
        inside.emitToAll('welcome', welcome);
        return undefined;
      },
      open() {
        backlog.judge();
        waiting.endConnected();
        void writer.flushed().then(ready);
      },
      pause() {
        inside.intake.pause();
        inside.outbox.pause();
        inside.prefetching?.pause();
        check.stop();
      },
      frame: (frame) => inside.takeFrame(frame),
      fault,
    },
  });

  /** Reading goes on when a client that was disconnected connects again. */
  const insist = async (frame: () => Frame): Promise<Frame> => {
    for (;;) {
      try {
        return await link.insist(frame);
      } catch (error) {
        if (error instanceof Refusal || link.status.state === 'closed' || connection.follows) throw error;
        await waiting.connected();
      }
    }
  };

  const http = createHttp({
    url: () =>
      (typeof options.url === 'string' ? options.url : options.url(0)).replace(/^ws/, 'http').replace(/\/$/, ''),
    token: async () => token ?? getToken({ reason: 'first', signal: new AbortController().signal }),
    ...(options.fetch === undefined ? {} : { fetch: options.fetch }),
  });

  return { link, check, insist, http };
}
