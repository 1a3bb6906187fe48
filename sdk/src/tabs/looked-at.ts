/** The conversations that are looked at, in this tab and in the others. Of those, the last that told are remembered. */
export type LookedAt = {
  here: string[];
  /** Returns those that it has not looked at before. */
  set(tab: string, ids: unknown[]): string[];
  has(id: string): boolean;
};

const tabsMost = 100;
const idsMost = 100;

export function createLookedAt(): LookedAt {
  const elsewhere = new Map<string, string[]>();
  return {
    here: [],
    set(tab, ids) {
      const before = elsewhere.get(tab) ?? [];
      // The last that told are at the end.
      elsewhere.delete(tab);
      const valid = ids.filter((id) => typeof id === 'string').slice(0, idsMost);
      if (valid.length > 0) elsewhere.set(tab, valid);
      if (elsewhere.size > tabsMost) elsewhere.delete(elsewhere.keys().next().value!);
      return valid.filter((id) => !before.includes(id));
    },
    has: (id) => [...elsewhere.values()].some((ids) => ids.includes(id)),
  };
}
