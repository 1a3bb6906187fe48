import { faultsOfAmendments } from './faults-of-amendments.ts';
import { faultsOfDevices } from './faults-of-devices.ts';
import { faultsOfEndings } from './faults-of-endings.ts';
import { faultsOfSends } from './faults-of-sends.ts';
import type { Mutation } from './planting.ts';

/** Everything that the checker must see. */
export const mutations: readonly Mutation[] = [
  ...faultsOfSends,
  ...faultsOfDevices,
  ...faultsOfEndings,
  ...faultsOfAmendments,
];
