import type { Random } from '../irc/random.ts';

/** The target of an attack: one gateway, seen from outside. */
export type Stage = {
  /** `ws://host:port` and `http://host:port` of the gateway. */
  readonly ws: string;
  readonly http: string;
  readonly random: Random;
  token(user: string): Promise<string>;
  /** A token for a back end. */
  readonly service: string;
  /** Whether the attack must end now. */
  over(): boolean;
  /** Counts an answer of the gateway: a status, an error code, a close code. */
  count(answer: string): void;
};

/** One kind of abuse by one user. */
export type Attack = {
  name: string;
  /** Its description in the table of `--help`. */
  says: string;
  /** Creates the data that the attack needs; not measured. */
  prepare?(stage: Stage): Promise<void>;
  /** Attacks until the stage is over. */
  run(stage: Stage): Promise<void>;
  /** Its cluster has no limits, so the attack gets further than limits would allow. */
  unlimited?: boolean;
  /**
   * The group that the innocent user writes to, if the attack targets one. By default that is a direct conversation.
   */
  group?: string;
};

/** The attacking user. */
export const attacker = 'mallory';

/** One HTTP request; resolves the status, or 0 if the connection failed. The result is counted. */
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

/** Repeats the same request in several concurrent loops until the stage is over. */
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
