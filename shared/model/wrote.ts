/**
 * Which of the two users of a direct conversation have written, by their places in its sorted `users`; '' for none that
 * is known. In a conversation with oneself both places are one user.
 */
export type Wrote = '' | '1' | '2' | '12';
