import { fitHeight } from './composer.ts';

/** A keyboard on the glass would cover half of the messages: there the user begins to write by a touch. */
const hasKeyboard = (): boolean => !matchMedia('(pointer: coarse)').matches;

/** Moves the focus with what is shown: into the composer of a conversation, and back to its row in the list. */
export function createFocus(screen: HTMLElement): { follow(conversation: string | null): void } {
  let last: string | null = null;
  let composing = '';
  let text = '';
  return {
    follow(conversation) {
      const field = screen.querySelector<HTMLTextAreaElement>('[data-composer]');
      const now = field?.dataset['composer'] ?? '';
      // Also when a draft came from the storage.
      if (field !== null && (now !== composing || field.value !== text)) fitHeight(field);
      text = field?.value ?? '';
      if (now !== composing && field !== null) {
        // Not while a dialog is open, which holds the focus.
        if (hasKeyboard() && screen.querySelector('dialog') === null) field.focus();
      }
      composing = now;
      if (conversation === null && last !== null)
        screen.querySelector<HTMLElement>(`[data-row="${CSS.escape(last)}"]`)?.focus();
      last = conversation;
    },
  };
}
