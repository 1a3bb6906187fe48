/**
 * The error catalogue: what a client is told, and what it may do about it. Clients branch on `code` and `retryable`;
 * the text is for people and may change.
 */

const catalogue = {
  bad_frame: { status: 400, retryable: false },
  bad_request: { status: 400, retryable: false },
  unauthenticated: { status: 401, retryable: false },
  forbidden: { status: 403, retryable: false },
  /** Also for what one may not see, so that ids cannot be probed. */
  not_found: { status: 404, retryable: false },
  conflict: { status: 409, retryable: false },
  too_large: { status: 413, retryable: false },
  rate_limited: { status: 429, retryable: true },
  /** Storage refused: certainly not accepted. */
  retry_later: { status: 503, retryable: true },
  /** May or may not have been accepted: send again with the same clientId. */
  unknown_outcome: { status: 504, retryable: true },
  /** The message that a send names in `after` is not known: certainly not accepted. */
  out_of_order: { status: 409, retryable: true },
  resync_required: { status: 409, retryable: false },
  internal: { status: 500, retryable: true },
} as const satisfies Record<string, { status: number; retryable: boolean }>;

export type ErrorCode = keyof typeof catalogue;

export const errorCodes = Object.keys(catalogue) as ErrorCode[];

export type HttpStatus = (typeof catalogue)[ErrorCode]['status'];

/** A refusal that the contract names. Any other error that is thrown becomes `internal`. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly status: HttpStatus;
  /** Milliseconds after which another try makes sense. */
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message: string, options: { retryAfterMs?: number; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.code = code;
    this.retryable = catalogue[code].retryable;
    this.status = catalogue[code].status;
    this.retryAfterMs = options.retryAfterMs;
  }
}

export const badRequest = (message: string): Refusal => new Refusal('bad_request', message);
export const notFound = (what = 'no such conversation'): Refusal => new Refusal('not_found', what);
export const retryLater = (message: string, cause?: unknown): Refusal =>
  new Refusal('retry_later', message, { retryAfterMs: 1000, cause });

const ofProgram = new Set(['TypeError', 'RangeError', 'ReferenceError', 'SyntaxError', 'URIError', 'BSONError']);

/**
 * Whether the program stumbled over what it was given; a store that is away, a refusal or a time-out is no fault of its
 * own. A `fetch` that fails throws a TypeError too, and names its cause.
 */
export const isProgramFault = (thrown: unknown): boolean =>
  thrown instanceof Error && ofProgram.has(thrown.name) && thrown.cause === undefined;

/** What a client is told about anything thrown: a refusal as it is, the rest as `internal` without its text. */
export const toRefusal = (thrown: unknown): Refusal =>
  thrown instanceof Refusal ? thrown : new Refusal('internal', 'unexpected failure', { cause: thrown });
