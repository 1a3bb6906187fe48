import { systemClock } from '../platform/clock.ts';
import { pageEnvironment } from '../platform/environment.ts';
import type { SharedEvent } from '../tabs/api.ts';
import type { ClientEvents, ClientOptions } from './api.ts';
import { createEmitter } from './events.ts';
import type { Inside } from './inside.ts';

/** What the pieces of a client stand on, with the plain pieces that a part may take the place of. */
export function createBasis(options: ClientOptions): Inside {
  const { clock = systemClock, random = Math.random } = options;
  const environment = options.environment ?? pageEnvironment();
  const fault: Inside['fault'] = (error, where) => {
    inside.observe({ type: 'fault', name: where });
    if (!inside.isClosed) emitter.emit('fault', { error, where });
  };
  const emitter = createEmitter<ClientEvents>(fault);
  const qualityChanged: Inside['qualityChanged'] = (quality) => {
    inside.observe({ type: 'quality', name: quality });
    emitter.emit('quality', quality);
    inside.connection.changed();
    inside.outbox.pump();
    inside.backlog.judge();
  };
  const inside = {
    options,
    clock,
    random,
    environment,
    isLazy: options.sync === 'lazy',
    fault,
    on: emitter.on,
    emit: emitter.emit,
    emitToAll(type, event) {
      emitter.emit(type, event as ClientEvents[typeof type]);
      inside.tabs?.tell({ event: [type, event] as SharedEvent });
    },
    qualityChanged,
    isClosed: false,
    observe() {},
    backlog: { isRead: false, judge() {}, tooSlow() {}, synced() {} },
    cache: { stored() {}, makeRoom: async () => [], close() {} },
  } as Partial<Inside> as Inside;
  return inside;
}
