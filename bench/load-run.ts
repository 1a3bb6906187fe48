import type { LoadResult } from './load.ts';

/** One load of one system in one round. */
export type LoadRun<Name extends string, System extends string> = {
  name: Name;
  system: System;
  round: number;
  result: LoadResult;
};
