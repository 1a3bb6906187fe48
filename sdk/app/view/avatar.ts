import { html, nothing, type TemplateResult } from 'lit-html';
import { hueOf, initialsOf } from '../model/titles.ts';

/** A round picture of letters. It says nothing that the words beside it do not. */
export const avatar = (id: string, title: string, isOnline = false): TemplateResult =>
  html`<span class="avatar hue-${hueOf(id)}" aria-hidden="true"
    >${initialsOf(title)}${isOnline ? html`<span class="dot"></span>` : nothing}</span
  >`;
