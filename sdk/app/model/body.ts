/** The text of a message's body, if it has one: a string, or an object with a field `text`. */
export function textOf(body: unknown): string | null {
  if (typeof body === 'string') return body;
  if (typeof body !== 'object' || body === null) return null;
  const { text } = body as { text?: unknown };
  return typeof text === 'string' ? text : null;
}

/** A change of members, as the server writes it. */
export type MembershipChange = { user: string; action: 'joined' | 'left' | 'removed' };

export const membershipKind = 'restante.membership';

export function membershipOf(body: unknown): MembershipChange | null {
  if (typeof body !== 'object' || body === null) return null;
  const { user, action } = body as { user?: unknown; action?: unknown };
  const known = action === 'joined' || action === 'left' || action === 'removed';
  return typeof user === 'string' && known ? { user, action } : null;
}
