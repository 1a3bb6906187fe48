import type { Accepted, Facts, Send } from './facts.ts';
import type { Report } from './report.ts';
import type { Truth } from './truth.ts';

/**
 * I1: what was accepted is stored, once. I4: the same send has the same answer. I22: what was lost, its sender was told
 * of. I23: a message is as durable as its answer said.
 */
const strength = { accepted: 0, durable: 1, stored: 2 } as const;

export const acceptedOf = (send: Send): Accepted[] =>
  send.attempts
    .flatMap(({ outcome }) => (outcome?.kind === 'accepted' ? [outcome] : []))
    .sort((a, b) => a.line - b.line);

/** The conversation of a send, if any answer or the other sends of the pair say which it is. */
export function conversationOf(send: Send, truth: Truth): string | null {
  if (send.target.startsWith('in ')) return send.target.slice(3);
  return truth.directOf(send.sender, send.target.slice(3));
}

export const nameOf = ({ sender, clientId, target }: Send): string => `${clientId} of ${sender} ${target}`;

/**
 * The epochs that began after an answer was given. A slow client reads an answer of the epoch in which its connection
 * was welcomed when others know a later one. An answer by HTTP counts as given when it was read.
 */
function epochsAfter(facts: Facts, send: Send, answer: Accepted): Facts['epochs'] {
  const connection = send.attempts.find(({ outcome }) => outcome === answer)?.connection;
  const own = facts.epochs.findIndex(({ epoch }) => epoch === connection?.welcome?.epoch);
  return own < 0
    ? facts.epochs.filter(({ line }, index) => index > 0 && line > answer.line)
    : facts.epochs.slice(own + 1);
}

/** The earliest moment that a user was told may be lost, by epochs that it came to after a line; null: of nothing. */
function toldSince(facts: Facts, user: string): (line: number, epochs: Facts['epochs']) => number | null | 'not back' {
  const welcomes = [...facts.devices.values()]
    .filter((device) => device.user === user)
    .flatMap(({ connections }) => connections.flatMap(({ welcome }) => (welcome === null ? [] : [welcome])))
    .sort((a, b) => a.line - b.line);
  return (line, epochs) => {
    const names = new Set(epochs.map(({ epoch }) => epoch));
    const later = welcomes.filter((welcome) => welcome.line > line && names.has(welcome.epoch));
    if (later.length === 0) return 'not back';
    const told = later.flatMap(({ reset, lostSince }) => (reset && lostSince !== null ? [lostSince] : []));
    return told.length === 0 ? null : Math.min(...told);
  };
}

function checkLost(
  facts: Facts,
  send: Send,
  answers: Accepted[],
  report: Report,
  told: ReturnType<typeof toldSince>,
): void {
  report.counts.lost += 1;
  const last = answers.at(-1)!;
  const epochs = epochsAfter(facts, send, last);
  const where = `accepted as ${last.conversation} seq ${last.seq}, id ${last.id}`;
  if (epochs.length === 0) {
    report.violation('I1', `lost: ${nameOf(send)} was ${where}, and is nowhere`, last.line);
    return;
  }
  const since = told(last.line, epochs);
  if (since === 'not back' && facts.run?.mode === 'safety') return;
  if (typeof since === 'number' && since <= last.at) return;
  const toldWhat = typeof since === 'number' ? `only of losses since ${since}` : 'of no loss';
  report.violation(
    'I22',
    `${nameOf(send)} was ${where} at ${last.at} and lost; its sender was told ${toldWhat}`,
    last.line,
    epochs[0]!.line,
  );
}

function checkAnswers(send: Send, answers: Accepted[], truth: Truth, report: Report): void {
  const firstOf = new Map<string, Accepted>();
  for (const answer of answers) {
    const key = `${answer.conversation} ${answer.seq} ${answer.id}`;
    const before = firstOf.get(key);
    if (before === undefined) firstOf.set(key, answer);
    else if (!answer.duplicate && !before.duplicate)
      report.violation('I4', `${nameOf(send)} was twice accepted as new, seq ${answer.seq}`, before.line, answer.line);
  }
  const different = [...firstOf.values()];
  for (const [index, answer] of different.entries()) {
    const next = different[index + 1];
    if (next === undefined) break;
    const kept = truth.conversations.get(answer.conversation)?.messages.get(answer.seq)?.id === answer.id;
    if (kept || !truth.lossSeen)
      report.violation(
        'I4',
        `${nameOf(send)} has two answers: seq ${answer.seq}, id ${answer.id}, then seq ${next.seq}, id ${next.id}`,
        answer.line,
        next.line,
      );
  }
  for (const { outcome } of send.attempts)
    if (outcome?.kind === 'refused' && outcome.code === 'conflict')
      report.violation('I4', `a repetition of ${nameOf(send)} was taken for another message`, outcome.line);
}

function checkLevels(facts: Facts, send: Send, answers: Accepted[], truth: Truth, report: Report): void {
  for (const answer of answers) {
    const { level, line, conversation, seq, id } = answer;
    if (level === 'accepted') continue;
    if (truth.conversations.get(conversation)?.messages.get(seq)?.id === id) continue;
    // What was asked before a loss may have been answered before it too, and read late.
    const asked = send.attempts.find(({ outcome }) => outcome === answer)!.line;
    const given = epochsAfter(facts, send, answer).length > 0 ? asked : line;
    const excused = facts.losses.some(
      (loss) => loss.line > given && loss.upTo !== null && strength[loss.upTo] >= strength[level],
    );
    if (!excused)
      report.violation('I23', `${nameOf(send)} was answered ${level} as seq ${seq}, id ${id}, and is not stored`, line);
  }
}

export function checkSends(facts: Facts, truth: Truth, report: Report): void {
  const tellers = new Map<string, ReturnType<typeof toldSince>>();
  for (const sends of facts.sends.values())
    for (const send of sends) {
      report.counts.unknown += send.attempts.filter(
        ({ outcome }) => outcome === null || outcome.kind === 'unknown',
      ).length;
      const answers = acceptedOf(send);
      if (answers.length > 0) report.counts.accepted += 1;
      if (!truth.complete) continue;
      const conversation = answers[0]?.conversation ?? conversationOf(send, truth);
      const stored = conversation === null ? [] : truth.stored(send.sender, send.clientId, conversation);
      if (stored.length > 1) {
        report.counts.duplicated += 1;
        const seqs = stored.map(({ seq }) => seq).join(', ');
        report.violation(
          'I1',
          `${nameOf(send)} is stored ${stored.length} times, as seqs ${seqs}`,
          ...answers.map(({ line }) => line),
        );
      }
      if (answers.length === 0) continue;
      let told = tellers.get(send.sender);
      if (told === undefined) tellers.set(send.sender, (told = toldSince(facts, send.sender)));
      if (stored.length === 0) checkLost(facts, send, answers, report, told);
      checkAnswers(send, answers, truth, report);
      checkLevels(facts, send, answers, truth, report);
    }
}
