import { createBacklogMode } from '../client/backlog-mode.ts';
import type { Part } from '../client/part.ts';
import { createMeter } from '../quality/meter.ts';

/** The network is measured, and used at the pace that it allows. */
export const quality: Part = (inside) => {
  const meter = createMeter({
    clock: inside.clock,
    environment: inside.environment,
    receiveWithinMs: () => inside.link.welcome?.limits.receiveWithinMs ?? 5000,
    changed: inside.qualityChanged,
  });
  inside.meter = meter;
  inside.backlog = createBacklogMode({
    isPaced: () => inside.isLazy || inside.connection.has('paced'),
    isBad: () => meter.quality === 'bad',
    isLong: () =>
      inside.link.usable && inside.link.welcome!.head - inside.writer.meta.position > meter.pace.backlogItems,
    renew: () => inside.link.renew(),
  });
  return {};
};
