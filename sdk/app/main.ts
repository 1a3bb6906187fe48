import { render } from 'lit-html';
import { keepForOffline } from './offline.ts';
import { createApp } from './state/app.ts';
import { createRedraw } from './state/redraw.ts';
import { createFocus } from './view/focus.ts';
import { screenView } from './view/screen.ts';
import { createScrollKeeper } from './view/scroll-keeper.ts';

/** Puts the app together: every change of its state draws the screen again. */
const screen = document.getElementById('screen')!;
const scroll = createScrollKeeper(screen);
const focus = createFocus(screen);

const app = createApp(
  createRedraw(() => {
    const chat = () => app.session?.chat ?? null;
    scroll.around(() => render(screenView(app), screen), chat);
    focus.follow(chat()?.conversation.id ?? null);
  }),
);
void keepForOffline();
