import { closeCodes } from '../../shared/protocol/close-codes.ts';
import type { Registry } from '../socket/registry.ts';

/** Closes every connection when the epoch changes: clients begin again with positions of the new epoch. */
export const createEpochChange = (registry: Pick<Registry, 'all'>) => (): void => {
  for (const connection of [...registry.all]) connection.close(closeCodes.restart, 'the epoch has changed');
};
