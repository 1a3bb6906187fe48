/** Words for screen readers, and the last thing that went wrong, which everybody sees. */
export type Announcer = {
  /** What came live into the open conversation, and what became of one's own messages. */
  readonly text: string;
  readonly fault: string | null;
  say(text: string): void;
  fail(fault: string | null): void;
};

export function createAnnouncer(changed: () => void): Announcer {
  let text = '';
  let fault: string | null = null;
  return {
    get text() {
      return text;
    },
    get fault() {
      return fault;
    },
    say(next) {
      // The same words twice are news only if the text differs.
      text = next === text ? `${next}\u00a0` : next;
      changed();
    },
    fail(next) {
      if (next === fault) return;
      fault = next;
      changed();
    },
  };
}
