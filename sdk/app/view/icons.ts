import { html } from 'lit-html';

/** The signs of the app, drawn with the colour of the text around them. Words beside them say what they mean. */

export const icons = {
  back: html`<svg class="icon mirrored" viewBox="0 0 24 24" aria-hidden="true"><path d="M15 5l-7 7 7 7" /></svg>`,
  search: html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
    <circle cx="11" cy="11" r="6.5" />
    <path d="M16 16l4.5 4.5" />
  </svg>`,
  clear: html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d="M6 6l12 12M18 6L6 18" /></svg>`,
  write: html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
    <path d="M4 20l1-4.5L16 4.5a2 2 0 0 1 3 0l.5.5a2 2 0 0 1 0 3L8.5 19zM14 7l3 3" />
  </svg>`,
  group: html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
    <circle cx="9" cy="8.5" r="3.5" />
    <path d="M3 19c0-3 2.5-5 6-5s6 2 6 5M15.5 5.5a3.5 3.5 0 0 1 0 6M17.5 14.5c2.2.8 3.5 2.5 3.5 4.5" />
  </svg>`,
  settings: html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
    <path d="M4 7h9M19 7h1M4 17h1M11 17h9" />
    <circle cx="16" cy="7" r="2.5" />
    <circle cx="8" cy="17" r="2.5" />
  </svg>`,
  send: html`<svg class="icon mirrored filled" viewBox="0 0 24 24" aria-hidden="true">
    <path d="M3.5 20.5l18-8.5-18-8.5 2.5 7 8 1.5-8 1.5z" />
  </svg>`,
  save: html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d="M5 12.5l5 5 9-11" /></svg>`,
  more: html`<svg class="icon filled" viewBox="0 0 24 24" aria-hidden="true">
    <circle cx="5" cy="12" r="1.7" />
    <circle cx="12" cy="12" r="1.7" />
    <circle cx="19" cy="12" r="1.7" />
  </svg>`,
  down: html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d="M5 9l7 7 7-7" /></svg>`,
  clock: html`<svg class="tick" viewBox="0 0 18 12" aria-hidden="true">
    <circle cx="9" cy="6" r="4.5" />
    <path d="M9 3.5V6l1.7 1.2" />
  </svg>`,
  one: html`<svg class="tick" viewBox="0 0 18 12" aria-hidden="true"><path d="M4 6.5l3 3 7-7" /></svg>`,
  two: html`<svg class="tick" viewBox="0 0 18 12" aria-hidden="true">
    <path d="M1.5 6.5l3 3 7-7M8 9.5l7-7" />
  </svg>`,
  fault: html`<svg class="tick" viewBox="0 0 18 12" aria-hidden="true">
    <circle cx="9" cy="6" r="4.8" />
    <path d="M9 3.5v3M9 8.3v.2" />
  </svg>`,
};
