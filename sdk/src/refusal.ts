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

  constructor(code: ErrorCode, message: string, options: { retryAfterMs?: number } = {}) {
    super(message);
    this.code = code;
    this.retryable = retryableByCode[code];
    this.retryAfterMs = options.retryAfterMs;
  }
}
