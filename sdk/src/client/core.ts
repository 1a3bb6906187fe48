import { steady } from '../parts/steady.ts';
import type { ClientOptions } from './api.ts';
import { assemble } from './assemble.ts';
import type { ClientWith, Part } from './part.ts';

export type CoreOptions<Parts extends readonly Part[]> = ClientOptions & {
  /** What the client can do beside its core. Default: nothing. */
  parts?: Parts;
};

/** A client with these parts only: what an application does not ask for, it does not load. */
export const createCoreClient = <const Parts extends readonly Part[] = []>({
  parts,
  ...options
}: CoreOptions<Parts>): ClientWith<Parts> =>
  // Parts that are given come later, so they take the place of the plain ones.
  assemble(options, [steady, ...(parts ?? [])]);
