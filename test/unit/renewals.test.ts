import { expect, test, vi } from 'vitest';
import type { Connection } from '../../gateway/connection.ts';
import type { LargeIndex } from '../../gateway/large-groups.ts';
import { createRegistry } from '../../gateway/registry.ts';
import { createRenewals } from '../../gateway/renewals.ts';
import type { Session } from '../../gateway/session.ts';
import { createFaults } from '../../shared/faults.ts';
import { createLogger } from '../../shared/log.ts';
import { createMetrics } from '../../shared/metrics.ts';
import type { Inboxes } from '../../shared/redis/inboxes.ts';
import { createKeys } from '../../shared/redis/keys.ts';

test('leases are renewed also while large groups cannot be looked at', async () => {
  const registry = createRegistry();
  registry.attach({
    session: { user: 'alice', id: '1', epoch: 'e', heard: () => undefined } as unknown as Session,
  } as Connection & { session: Session });
  const renew: Inboxes['renew'] = async () => ({
    epoch: 'e',
    users: [{ head: 0, routes: [{ gateway: 'g', session: '1', device: 'phone' }], larges: ['square'] }],
  });
  const compare = vi.fn<LargeIndex['compare']>();
  const large = { check: () => new Promise<void>(() => undefined), compare };
  const renewals = createRenewals(
    { renew },
    createKeys('t', 1, 1),
    'g',
    registry,
    large,
    createLogger('web'),
    createFaults(createMetrics('web'), createLogger('web')),
    { compare: () => undefined },
  );
  renewals.renewNow();
  await vi.waitFor(() => expect(compare).toHaveBeenCalledWith('alice', ['square']));
  await renewals.stop();
});
