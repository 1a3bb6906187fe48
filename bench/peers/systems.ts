/** What a comparison can measure, in the order of its tables. */
import type { System } from '../connect-user.ts';
import type { LoadRun } from '../load-run.ts';
import type { PeerCase } from './cases.ts';
import { isPeer, peerClients, type PeerName } from './clients.ts';

export type ComparedName = System | PeerName;
export type ComparedRun = LoadRun<PeerCase, ComparedName>;

export const comparedNames: readonly ComparedName[] = ['restante', 'echo', ...Object.keys(peerClients).filter(isPeer)];
