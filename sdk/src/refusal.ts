/** Every code of the server's errors, and whether the same request may succeed later. */
export const retryableByCode = {
  bad_frame: false,
  bad_request: false,
  unauthenticated: false,
  forbidden: false,
  /** Also for what the user may not see. */
  not_found: false,
  conflict: false,
  too_large: false,
  rate_limited: true,
  retry_later: true,
  /** May or may not have taken effect: a send is repeated with the same clientId. */
  unknown_outcome: true,
  /** The message that a send names in `after` is not known: certainly not accepted. */
  out_of_order: true,
  resync_required: false,
  internal: true,
} as const;

export type ErrorCode = keyof typeof retryableByCode;

/** The server refused a request. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly code: ErrorCode;
  readonly retryable: boolean;
  /** Milliseconds after which another try makes sense. */
  readonly retryAfterMs: number | undefined;

  /** `retryable` is what the server says: it decides about a code that this client does not know. */
  constructor(code: ErrorCode, message: string, options: { retryAfterMs?: number; retryable?: boolean } = {}) {
    super(message);
    this.code = code;
    this.retryable = Object.hasOwn(retryableByCode, code) ? retryableByCode[code] : options.retryable === true;
    this.retryAfterMs = options.retryAfterMs;
  }
}
