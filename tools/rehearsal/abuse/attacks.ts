import { floods } from './floods.ts';
import { fuzzBytes } from './fuzz-bytes.ts';
import { fuzzFrames } from './fuzz-frames.ts';
import type { Attack } from './stage.ts';

/** All attacks, in the order in which they are rehearsed. */
export const attacks: readonly Attack[] = [fuzzFrames, fuzzBytes, ...floods];

export function attackNamed(name: string): Attack {
  const found = attacks.find((attack) => attack.name === name);
  if (found === undefined) throw new Error(`there is no attack ${name}`);
  return found;
}
