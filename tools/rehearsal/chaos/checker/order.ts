import type { Facts } from './facts.ts';
import type { Report } from './report.ts';
import { acceptedOf, conversationOf, nameOf } from './sends.ts';
import type { Truth } from './truth.ts';

/**
 * I6: whoever sends after an answer gets a higher seq than that answer, and sends that follow each other on one
 * connection are accepted in that order.
 */
export function checkOrder(facts: Facts, truth: Truth, report: Report): void {
  type Step = { line: number; begun?: string; accepted?: { seq: number; name: string; key: string } };
  const byConversation = new Map<string, Step[]>();
  const byConnection = new Map<string, { line: number; seq: number; name: string }[]>();
  for (const sends of facts.sends.values())
    for (const send of sends) {
      const answers = acceptedOf(send);
      const conversation = answers[0]?.conversation ?? conversationOf(send, truth);
      if (conversation === null || answers.length === 0) continue;
      const name = nameOf(send);
      const key = `${send.sender} ${send.clientId}`;
      let steps = byConversation.get(conversation);
      if (steps === undefined) byConversation.set(conversation, (steps = []));
      steps.push({ line: Math.min(...send.attempts.map(({ line }) => line)), begun: key });
      for (const { line, seq } of answers) steps.push({ line, accepted: { seq, name, key } });
      for (const { line, connection, outcome } of send.attempts) {
        if (connection === null || outcome?.kind !== 'accepted' || outcome.duplicate) continue;
        const lane = `${connection.key} ${conversation}`;
        const list = byConnection.get(lane) ?? [];
        byConnection.set(lane, list);
        list.push({ line, seq: outcome.seq, name });
      }
    }
  for (const [conversation, steps] of byConversation) {
    let highest = { seq: 0, line: 0, name: '' };
    const floors = new Map<string, typeof highest>();
    for (const { line, begun, accepted } of steps.sort((a, b) => a.line - b.line)) {
      if (begun !== undefined) floors.set(begun, highest);
      if (accepted === undefined) continue;
      const floor = floors.get(accepted.key)!;
      if (accepted.seq <= floor.seq) {
        report.counts.reordered += 1;
        const before = `${floor.name} had seq ${floor.seq} before it was sent`;
        report.violation(
          'I6',
          `in ${conversation}, ${accepted.name} has seq ${accepted.seq}, though ${before}`,
          floor.line,
          line,
        );
      }
      if (accepted.seq > highest.seq) highest = { seq: accepted.seq, line, name: accepted.name };
    }
  }
  for (const [lane, accepted] of byConnection) {
    accepted.sort((a, b) => a.line - b.line);
    for (const [index, later] of accepted.entries()) {
      const earlier = accepted[index - 1];
      if (earlier === undefined || earlier.seq < later.seq) continue;
      report.counts.reordered += 1;
      report.violation(
        'I6',
        `on ${lane}, ${earlier.name} was sent before ${later.name}; their seqs are ${earlier.seq} and ${later.seq}`,
        earlier.line,
        later.line,
      );
    }
  }
}
