import type { Part } from '../client/part.ts';
import { createSteadyMeter } from '../quality/steady.ts';

/** In the place of `quality`: the network is not measured. */
export const steady: Part = (inside) => {
  inside.meter = createSteadyMeter(inside.environment, inside.qualityChanged);
  return {};
};
