import type { TemplateResult } from 'lit-html';

/** A dialog's heading and what is in it. */
export type DialogParts = { title: string; content: TemplateResult };
