import { directConversation } from '../../sdk/src/direct-conversation.ts';

/** The frames that a client is measured with, as a gateway sends them. */

const conversation = directConversation('alice', 'bob');

/** The answer to a `hello`. Its end of the inbox is never reached, so nothing is asked for. */
export function welcomeOf(hello: string): string {
  const { id, device } = JSON.parse(hello) as { id?: string; device: string };
  return JSON.stringify({
    type: 'welcome',
    re: id,
    user: 'alice',
    device,
    epoch: 'e',
    position: 0,
    head: 0,
    unread: { total: 0, conversations: [], more: false },
    features: [],
    heartbeatMs: 25_000,
    expiresAt: Date.now() + 3_600_000,
    limits: {},
  });
}

/** One message of 100 characters. */
export function deliverText(seq: number): string {
  const message = {
    id: `${1_767_225_600_000 + seq}-0`,
    conversation,
    seq,
    at: 1_767_225_600_000 + seq,
    sender: 'bob',
    clientId: `019b76da-a800-7000-8000-${String(seq).padStart(12, '0')}`,
    kind: 'text',
    body: { text: 'x'.repeat(100) },
    class: 'normal',
  };
  return JSON.stringify({ type: 'deliver', items: [{ position: seq, message }] });
}
