import type { Digest } from '../digest.ts';

/**
 * A way to tell a user's digest: to the back end (webhook.ts), later perhaps to a phone's push service or by mail.
 *
 * `post` resolves once the receiver has taken the digest and rejects otherwise; the job then repeats it. `id` is the
 * same at every attempt and in every channel. Delivery is at least once, so a receiver drops an id that it knows.
 */
export type Channel = { post(id: string, digest: Digest): Promise<void> };
