import { describe, expect, test } from 'vitest';
import { explore, told } from './explore.ts';
import { overlayModel, type OverlayBounds, type OverlayRules } from './overlay.ts';

/** Amendments in an inbox, explored state by state: as they are, and without each of their rules. */

const timeout = 120_000;
const twoFanouts: OverlayBounds = { fanouts: 2, cuts: 3, repeats: 2, loses: false };
const oneLoss: OverlayBounds = { fanouts: 1, cuts: 1, repeats: 1, loses: true };

describe('amendments in an inbox', () => {
  test.each([
    ['two fanouts', twoFanouts],
    ['one loss', oneLoss],
  ])('no page shows an old body after its amendment, and no body stays behind: %s', { timeout }, (_, bounds) => {
    const exploration = explore(overlayModel(bounds));
    expect(told(exploration)).toMatch(/^no violation/);
    expect(exploration.states).toBeGreaterThan(5000);
  });

  const broken: [what: string, rules: OverlayRules, violation: RegExp, bounds?: OverlayBounds][] = [
    ['an entry that is written before its overlay', { entryFirst: true }, /^the message as amendment 0 left it/],
    ['overlays that are read after the entries', { overlaysAfter: true }, /without its body|left it, after/],
    ['an overlay that takes the place of a newer one', { whateverSeq: true }, /left it, after/],
    ['an overlay that is written again on skip', { overlayOnSkip: true }, /^an overlay stays without its entry/],
    ['any cut that removes the overlay', { cutsWhatever: true }, /without its body/],
    ['a cut that leaves the overlay', { cutLeaves: true }, /^an overlay stays without its entry/],
    ['entries that are cut in any order', { anyOrder: true }, /left it, after/],
    ['nothing told to who has left', { noBlank: true }, /left it, after/],
    ['nothing told once the message was cut', { blankForMessage: true }, /with its body, after/],
    ['a walk that does not look at what is held', { walksEarly: true }, /left it, after/],
    ['a user who is not loaded after a loss', { noLoad: true }, /left it, after/, oneLoss],
    ['a load that keeps what was amended since', { loadKeeps: true }, /left it, after/, oneLoss],
    ['a load that takes a gap since the loss for known', { forgetsBefore: true }, /left it, after/, oneLoss],
    ['a load that takes what was passed over while away for known', { notesGapsOnly: true }, /left it, after/, oneLoss],
    ['a load that reads the amendment before the last seq', { amendmentFirst: true }, /left it, after/, oneLoss],
    ['a load that asks history alone what was amended', { historyAlone: true }, /left it, after/, oneLoss],
    ['a fanout that appends what was amended further on', { appendsOutdated: true }, /left it, after/, oneLoss],
  ];
  test.each(broken)('breaks with %s', { timeout }, (_, rules, violation, bounds = twoFanouts) => {
    expect(explore(overlayModel(bounds, rules)).violation).toMatch(violation);
  });
});
