import type { ReportClient } from '../client/api.ts';
import { createObserver } from '../client/observer.ts';
import type { Part } from '../client/part.ts';
import { version } from '../version.ts';

/** What happens inside is counted, and the option `onEvent` is told of it. */
export const report: Part<ReportClient> = (inside) => {
  const { clock, options } = inside;
  const observer = createObserver(clock, options.onEvent);
  inside.observe = observer.observe;
  return {
    client: {
      report() {
        const { connection, meter, prefetching } = inside;
        const { reason: _, retryAt: __, ...known } = inside.status.get();
        const { rttMs, rate } = meter.estimate;
        const { features } = connection.current;
        const fetched = prefetching === undefined ? {} : { prefetch: prefetching.report() };
        return { version, at: clock.now(), ...known, rttMs, rate, features, counters: observer.counters, ...fetched };
      },
    },
  };
};
