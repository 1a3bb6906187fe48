/** The dialog in front of everything, if there is one. Each is about one thing and closes when that is done. */
export type DialogName =
  | { kind: 'new-chat' }
  | { kind: 'new-group' }
  | { kind: 'settings' }
  | { kind: 'group-info'; conversation: string }
  | { kind: 'recall'; conversation: string; seq: number }
  | { kind: 'leave'; conversation: string };

export type Dialogs = {
  readonly open: DialogName | null;
  /** What went wrong in it, in words. */
  readonly fault: string | null;
  readonly busy: boolean;
  show(dialog: DialogName): void;
  close(): void;
  /** Does what the dialog is for. It stays open with the reason if that fails. */
  run(work: () => Promise<void> | void, then?: 'close' | 'stay'): Promise<void>;
  complain(fault: string): void;
};

export function createDialogs(changed: () => void, say: (error: unknown) => string): Dialogs {
  let open: DialogName | null = null;
  let fault: string | null = null;
  let busy = false;
  const set = (next: { open: DialogName | null; fault: string | null; busy: boolean }): void => {
    ({ open, fault, busy } = next);
    changed();
  };
  return {
    get open() {
      return open;
    },
    get fault() {
      return fault;
    },
    get busy() {
      return busy;
    },
    show: (dialog) => set({ open: dialog, fault: null, busy: false }),
    close: () => set({ open: null, fault: null, busy: false }),
    complain: (text) => set({ open, fault: text, busy: false }),
    async run(work, then = 'close') {
      const before = open;
      set({ open, fault: null, busy: true });
      try {
        await work();
        if (open !== before) return;
        set({ open: then === 'close' ? null : open, fault: null, busy: false });
      } catch (error) {
        if (open === before) set({ open, fault: say(error), busy: false });
      }
    },
  };
}
