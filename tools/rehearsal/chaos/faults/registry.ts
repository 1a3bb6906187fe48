import type { Fault } from '../stage.ts';
import { clockFaults } from './clocks.ts';
import { combinedFaults } from './combined.ts';
import { cutFaults } from './cuts.ts';
import { failoverFaults } from './failovers.ts';
import { historyFaults } from './history.ts';
import { networkFaults } from './network.ts';
import { processFaults } from './processes.ts';
import { resourceFaults } from './resources.ts';
import { restartFaults } from './restarts.ts';
import { wipeFaults } from './wipes.ts';

/** Faults of the list that have no place here yet, with the reason. Named in every run that asks for them. */
const elsewhere = (name: string, does: string, group: Fault['group'], reason: string): Fault => ({
  name,
  does,
  group,
  loss: 'none',
  cannot: () => reason,
  plan: () => [],
});

const notHere: Fault[] = [
  elsewhere(
    'F13',
    'slots of a Redis Cluster move under load',
    'network',
    'needs a Redis Cluster, which is not served yet',
  ),
  elsewhere('F37', 'old and new processes side by side', 'restarts', 'needs an earlier release; there is none'),
];

/** Every fault, in the order of its number. F31, changes of membership, is part of the traffic of every run. */
export const faults: readonly Fault[] = [
  ...processFaults,
  ...restartFaults,
  ...cutFaults,
  ...failoverFaults,
  ...wipeFaults,
  ...networkFaults,
  ...historyFaults,
  ...clockFaults,
  ...resourceFaults,
  ...combinedFaults,
  ...notHere,
].toSorted((one, other) => one.name.localeCompare(other.name, 'en', { numeric: true }));
