import { expect, test, vi } from 'vitest';
import type { LargeGroupPush } from '../../../../gateway/push/large-groups.ts';
import { createLease } from '../../../../gateway/push/lease.ts';
import type { Session } from '../../../../gateway/session/session.ts';
import type { Connection } from '../../../../gateway/socket/connection.ts';
import { createRegistry } from '../../../../gateway/socket/registry.ts';
import { createFaults } from '../../../../shared/process/faults.ts';
import { createLogger } from '../../../../shared/process/log.ts';
import { createMetrics } from '../../../../shared/process/metrics.ts';
import type { Inboxes } from '../../../../shared/redis/inboxes/inboxes.ts';
import { createKeys } from '../../../../shared/redis/keys.ts';

test('renews leases while large groups cannot be checked', async () => {
  const registry = createRegistry();
  registry.attach({
    session: { user: 'alice', id: '1', epoch: 'e', heard: () => undefined } as unknown as Session,
  } as Connection & { session: Session });
  const renew: Inboxes['renew'] = async () => ({
    epoch: 'e',
    gateways: [],
    users: [
      { head: 0, routes: [{ gateway: 'g', session: '1', device: 'phone' }], larges: ['square'], settingsVersion: 0 },
    ],
  });
  const compare = vi.fn<LargeGroupPush['compare']>();
  const large = { check: () => new Promise<void>(() => undefined), compare };
  const lease = createLease(
    { renew },
    createKeys('t', 1, 1),
    'g',
    registry,
    large,
    { compare: () => undefined },
    createLogger('web'),
    createFaults(createMetrics('web'), createLogger('web')),
    { compare: () => undefined },
    {
      serves: () => false,
      takeLapsed: () => false,
      noteLapsed: () => undefined,
      shards: () => [],
      watches: () => false,
      live: () => undefined,
    },
  );
  lease.renewNow();
  await vi.waitFor(() => expect(compare).toHaveBeenCalledWith('alice', ['square']));
  await lease.stop();
});
