import type { Connection } from '../tabs/api.ts';
import { createStore } from '../view/store.ts';
import type { Status } from './api.ts';
import type { Inside, SharedConnection } from './inside.ts';

/** The connection of this tab or of the one that leads, and the status of the client, which names it. */
export function createSharedConnection(inside: Inside): Pick<Inside, 'connection' | 'status' | 'changedStatus'> {
  const { clock, fault, emit, meter, waiting, conversations } = inside;
  let synced = false;

  const own = (): Connection => {
    const { link } = inside;
    return {
      status: link.status,
      synced: synced && link.usable,
      quality: meter.quality,
      features: link.welcome?.features ?? [],
      limits: link.welcome?.limits,
      aheadMs: link.now() - clock.now(),
    };
  };
  const current = (): Connection => inside.tabs?.elsewhere ?? own();
  const follows = (): boolean => (inside.tabs?.elsewhere ?? null) !== null;

  const status = createStore<Status>(() => {
    const { status: linked, synced: isSynced, quality } = current();
    const { storageState, outbox } = inside;
    return {
      ...linked,
      synced: isSynced,
      quality,
      storage: storageState.value,
      leader: !follows(),
      waiting: outbox.size,
    };
  }, fault);
  const changedStatus = (): void => {
    status.invalidate();
    emit('state', status.get());
    const { state, reason: why, code } = status.get();
    if (state === 'closed') waiting.endUserKnown(new Error(`the client is closed: ${why ?? code}`));
  };

  const connection: SharedConnection = {
    get current() {
      return current();
    },
    get own() {
      return own();
    },
    get follows() {
      return follows();
    },
    has: (feature) => current().features.includes(feature),
    now: () => clock.now() + current().aheadMs,
    changed() {
      inside.tabs?.tell({ connection: own() });
      changedStatus();
    },
    changedElsewhere(before, after) {
      changedStatus();
      if (before.quality !== after.quality) emit('quality', after.quality);
      for (const { outboxChanged } of conversations.all()) outboxChanged();
      if (before.status.state === 'connected' || after.status.state !== 'connected') return;
      for (const conversation of conversations.all()) conversation.refresh();
    },
    setSynced: (isSynced) => void (synced = isSynced),
  };
  return { connection, status, changedStatus };
}
