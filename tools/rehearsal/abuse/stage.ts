import type { Random } from '../irc/random.ts';

/** Where an attack takes place: one gateway, seen from outside. */
export type Stage = {
  /** `ws://host:port` and `http://host:port` of the gateway. */
  readonly ws: string;
  readonly http: string;
  readonly random: Random;
  token(user: string): Promise<string>;
  /** A back end's token. */
  readonly service: string;
  /** Whether the attack has to end now. */
  over(): boolean;
  /** Counts what the gateway answered: a status, an error code, a close code. */
  count(answer: string): void;
};

/** One kind of abuse by one user. */
export type Attack = {
  name: string;
  /** What it does, for the table of `--help`. */
  says: string;
  /** Makes what the attack needs; not measured. */
  prepare?(stage: Stage): Promise<void>;
  /** Goes on until the stage is over. */
  run(stage: Stage): Promise<void>;
  /** Its cluster limits nothing, so that it gets further than the limits would let it. */
  unlimited?: boolean;
  /**
   * The group that the innocent user writes to, where the attack aims at one; otherwise a direct conversation of its
   * own.
   */
  group?: string;
};

/** The user who attacks. */
export const attacker = 'mallory';

/** One HTTP request; resolves the status, or 0 when the connection failed. Its outcome is counted. */
export async function call(stage: Stage, token: string, method: string, path: string, body?: unknown): Promise<number> {
  try {
    const response = await fetch(`${stage.http}/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(20_000),
    });
    await response.arrayBuffer();
    stage.count(String(response.status));
    return response.status;
  } catch {
    stage.count('failed');
    return 0;
  }
}

/** The same again and again, in as many loops at once, until the stage is over. */
export async function repeat(
  stage: Stage,
  loops: number,
  act: (loop: number, turn: number) => Promise<unknown>,
): Promise<void> {
  await Promise.all(
    Array.from({ length: loops }, async (_, loop) => {
      for (let turn = 0; !stage.over(); turn++) await act(loop, turn);
    }),
  );
}
