import { randomBytes } from 'node:crypto';
import type { Config } from '../../shared/process/config.ts';
import { createFaults, type Faults } from '../../shared/process/faults.ts';
import type { Lifecycle } from '../../shared/process/lifecycle.ts';
import type { Logger } from '../../shared/process/log.ts';
import { createMetrics, type Metrics } from '../../shared/process/metrics.ts';
import { createKeys, type Keys } from '../../shared/redis/keys.ts';

/** What every part of a gateway may need of its process. */
export type GatewayContext = {
  /** The id of this gateway: routes and push channels name it. */
  gateway: string;
  config: Config;
  lifecycle: Lifecycle;
  log: Logger;
  metrics: Metrics;
  faults: Faults;
  keys: Keys;
};

export function createContext(config: Config, lifecycle: Lifecycle, log: Logger): GatewayContext {
  const metrics = createMetrics('web');
  return {
    gateway: randomBytes(6).toString('hex'),
    config,
    lifecycle,
    log,
    metrics,
    faults: createFaults(metrics, log),
    keys: createKeys(config.KEY_PREFIX, config.PARTITIONS, config.INBOX_SHARDS),
  };
}
