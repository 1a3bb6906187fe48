import { badRequest, Refusal } from '../model/errors.ts';

const mostBodyNesting = 64;

/**
 * Whether a JSON value nests arrays and objects more than `most` levels deep. Uses no recursion: a hostile value may be
 * 30,000 levels deep.
 */
export function nestsDeeper(value: unknown, most: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  let level: object[] = [value];
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > most) return true;
    const next: object[] = [];
    for (const container of level) {
      for (const inner of Object.values(container)) if (typeof inner === 'object' && inner !== null) next.push(inner);
    }
    level = next;
  }
  return false;
}

/** The JSON text of a body. Throws `bad_request` if it nests too deeply, and `too_large` above `mostBytes`. */
export function bodyJson(body: unknown, mostBytes: number): string {
  if (nestsDeeper(body, mostBodyNesting)) throw badRequest(`body: nests deeper than ${mostBodyNesting} levels`);
  const json = JSON.stringify(body);
  if (json.length > mostBytes || (json.length * 3 > mostBytes && Buffer.byteLength(json) > mostBytes)) {
    throw new Refusal('too_large', `body: more than ${mostBytes} bytes`);
  }
  return json;
}
