import { html, nothing, type TemplateResult } from 'lit-html';
import { piecesOf } from '../model/links.ts';
import type { BubbleRow, Row } from '../model/rows.ts';
import { shownText } from '../model/shown.ts';
import { readersOf, tickOf, type Receipts, type Tick } from '../model/ticks.ts';
import { hueOf } from '../model/titles.ts';
import type { App } from '../state/app.ts';
import type { Chat } from '../state/chat.ts';
import type { Session } from '../state/session.ts';
import type { Words } from '../words/english.ts';
import { icons } from './icons.ts';
import { messageMenu } from './message-menu.ts';

const pictures: Record<Tick, TemplateResult> = {
  sending: icons.clock,
  sent: icons.one,
  received: icons.two,
  read: icons.two,
  failed: icons.fault,
};

const tickWords = (tick: Tick, words: Words): string => words[tick];

/** The text with its links. Everything is text: nothing of a message becomes markup. */
const linked = (text: string): (TemplateResult | string)[] =>
  piecesOf(text).map((piece) =>
    piece.href === undefined
      ? piece.text
      : html`<a href=${piece.href} target="_blank" rel="noopener noreferrer">${piece.text}</a>`,
  );

function tickView(app: App, { message }: BubbleRow, receipts: Receipts): TemplateResult {
  const { words, formats } = app.language;
  const tick = tickOf(message, receipts);
  const readers = 'seq' in message ? readersOf(receipts, message.seq) : [];
  const said = readers.length > 0 ? words.readBy(formats.list(readers)) : tickWords(tick, words);
  return html`<span class="state ${tick}" title=${said}>${pictures[tick]}<span class="unseen">${said}</span></span>`;
}

/** Why it was not sent, and what can be done. */
function failedView({ language: { words } }: App, { client }: Session, { message }: BubbleRow) {
  if (message.status !== 'failed') return nothing;
  const handle = client.sent(message.clientId);
  return html`<p class="not-sent small">
    ${words.failed}${message.fault === undefined ? '' : `: ${message.fault.message}`}
    <button class="plain" @click=${() => handle?.retry()}>${words.tryAgain}</button>
    <button class="plain" @click=${() => handle?.cancel()}>${words.discard}</button>
  </p>`;
}

/** `takesTab`: its actions are the one stop of the tab key. */
export function messageView(
  app: App,
  session: Session,
  chat: Chat,
  row: Row & BubbleRow,
  takesTab: boolean,
): TemplateResult {
  const { words, formats } = app.language;
  const { message, isMine, begins, ends } = row;
  const info = chat.conversation.info.get();
  const { text, said } = shownText(message, words);
  const isEdited = 'amended' in message && message.amended?.action === 'edit';
  const classes = [isMine ? 'mine' : 'theirs', begins ? 'begins' : '', ends ? 'ends' : '', message.status];
  return html`<div class="bubble ${classes.join(' ')}" data-seq=${'seq' in message ? message.seq : nothing}>
      ${
        !isMine && begins && info.kind === 'group'
          ? html`<p class="name small hue-text-${hueOf(message.sender)}"><bdi>${message.sender}</bdi></p>`
          : html`<span class="unseen">${isMine ? words.you : message.sender}: </span>`
      }
      <p class="text" dir="auto">
        <span class=${said ? 'said' : 'unsaid'}>${said ? linked(text) : text}</span
        ><span class="meta" dir=${document.documentElement.dir}>
          ${isEdited ? html`<span>${words.edited}</span>` : nothing}
          <time datetime=${new Date(message.at).toISOString()} title=${formats.full(message.at)}
            >${formats.time(message.at)}</time
          >
          ${isMine && said ? tickView(app, row, session.receipts.of(chat.conversation.id)) : nothing}
        </span>
      </p>
      ${messageMenu(app, session, chat, row, takesTab)}
    </div>
    ${failedView(app, session, row)}`;
}
