/** How far a device has come in each conversation: what it was given, and what it was told that history has. */
export type Coverage = {
  /** It has these seqs. */
  add(conversation: string, fromSeq: number, toSeq: number): void;
  /** It was told that its own message got this seq; it need not be sent to it in any epoch. */
  addOwn(conversation: string, seq: number): void;
  /** A gap named the seqs up to this one. */
  announce(conversation: string, toSeq: number): void;
  has(conversation: string, seq: number): boolean;
  /** The highest seq that it has or was told of in this epoch; 0 if there is none. */
  upTo(conversation: string): number;
  /** A new epoch: it keeps what it has, and has to hear of everything again but what it sent itself. */
  restart(): void;
};

export function createCoverage(): Coverage {
  const had = new Map<string, Set<number>>();
  const highest = new Map<string, number>();
  const highestOwn = new Map<string, number>();
  const raise = (conversation: string, seq: number): void => {
    if (seq > (highest.get(conversation) ?? 0)) highest.set(conversation, seq);
  };
  const add = (conversation: string, fromSeq: number, toSeq: number): void => {
    let seqs = had.get(conversation);
    if (seqs === undefined) had.set(conversation, (seqs = new Set()));
    for (let seq = fromSeq; seq <= toSeq; seq++) seqs.add(seq);
    raise(conversation, toSeq);
  };
  return {
    add,
    addOwn(conversation, seq) {
      add(conversation, seq, seq);
      highestOwn.set(conversation, Math.max(seq, highestOwn.get(conversation) ?? 0));
    },
    announce: raise,
    has: (conversation, seq) => had.get(conversation)?.has(seq) === true,
    upTo: (conversation) => highest.get(conversation) ?? 0,
    restart() {
      highest.clear();
      for (const [conversation, seq] of highestOwn) highest.set(conversation, seq);
    },
  };
}
