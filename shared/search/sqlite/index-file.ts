import type { DatabaseSync } from 'node:sqlite';
import { inTransaction } from '../../sqlite/transactions.ts';
import { wallMs } from '../../timing/clocks.ts';
import type { SearchIndex, Target } from '../search-index.ts';
import { ask } from './asking.ts';
import { openGeneration, type Generation } from './generation.ts';
import { createGeneration, dropGeneration, openDatabase } from './schema.ts';

/** A writer that does not renew its lease for this long (ms) is replaced. */
export const leaseMs = 6000;

type State = { live: number; next: number; owner: string; heldUntil: number; currentAt: number };

/**
 * A search index in one file, for the processes of one host. Each call runs to its end before it returns, so a process
 * uses thread.ts. Throws if the file cannot be opened. `now` is the wall clock of the host (ms since 1970).
 */
export function openIndexFile(path: string, now: () => number = wallMs): SearchIndex {
  const db: DatabaseSync = openDatabase(path);
  const generations = new Map<number, Generation>();

  const readState = (): State =>
    db
      .prepare(`SELECT live, next, owner, held_until AS heldUntil, current_at AS currentAt FROM state WHERE id = 1`)
      .get() as State;

  function opened(generation: number): Generation {
    let found = generations.get(generation);
    if (found === undefined) generations.set(generation, (found = openGeneration(db, generation)));
    return found;
  }

  /** The generation of a target; null if there is none. */
  function targeted(target: Target, { live, next }: State): Generation | null {
    const generation = target === 'live' ? live : next;
    for (const old of generations.keys()) if (old !== live && old !== next) generations.delete(old);
    return generation === 0 ? null : opened(generation);
  }

  /** A read of several statements that sees one state. */
  function consistently<T>(task: (state: State) => T): T {
    db.exec('BEGIN');
    try {
      return task(readState());
    } finally {
      if (db.isTransaction) db.exec('COMMIT');
    }
  }

  /** A write of the owner of the lease; `lost` if another one has it. */
  const owned = <T>(owner: string, lost: T, task: (state: State) => T): T =>
    inTransaction(db, () => {
      // What a transaction that failed has counted is gone with it.
      for (const generation of generations.values()) generation.takeChange();
      const state = readState();
      if (state.owner !== owner) return lost;
      const result = task(state);
      for (const generation of generations.values()) count(generation);
      return result;
    });

  function count(generation: Generation): void {
    const change = generation.takeChange();
    if (change === 0) return;
    db.prepare('UPDATE generations SET docs = docs + ? WHERE generation = ?').run(change, generation.generation);
  }

  /** A moment further ahead than a lease lasts is of a clock that has been set back since: it counts as past. */
  const isHeld = ({ owner, heldUntil }: State): boolean =>
    owner !== '' && heldUntil > now() && heldUntil <= now() + leaseMs;

  const recipeOf = (generation: number): unknown =>
    db.prepare('SELECT recipe FROM generations WHERE generation = ?').get(generation)?.['recipe'];

  function addGeneration(recipe: string): number {
    const generation = Number(db.prepare('INSERT INTO generations (recipe) VALUES (?)').run(recipe).lastInsertRowid);
    db.exec(createGeneration(generation));
    return generation;
  }

  function removeGeneration(generation: number): void {
    if (generation === 0) return;
    generations.delete(generation);
    db.exec(dropGeneration(generation));
    db.prepare('DELETE FROM generations WHERE generation = ?').run(generation);
  }

  /** Gives the owner what it needs: a live index, and a next one if the live one was made by another recipe. */
  function prepared({ live, next }: State, recipe: string): { live: number; next: number } {
    const hasLive = live !== 0;
    const newLive = hasLive ? live : addGeneration(recipe);
    if (next !== 0 && recipeOf(next) !== recipe) {
      removeGeneration(next);
      return { live: newLive, next: addGeneration(recipe) };
    }
    return { live: newLive, next: hasLive && next === 0 && recipeOf(live) !== recipe ? addGeneration(recipe) : next };
  }

  return {
    async ask(question) {
      return consistently((state) => {
        const live = targeted('live', state);
        return live === null ? { hits: [], next: null } : ask(live, question);
      });
    },

    async freshness() {
      const { currentAt, next } = readState();
      return { currentAt, rebuilding: next !== 0 };
    },

    async state() {
      return consistently((state) => {
        const conversationsOf = (target: Target): number =>
          Number(targeted(target, state)?.sql('SELECT count(*) AS count FROM places_@').get()?.['count'] ?? 0);
        const docs = db.prepare('SELECT docs FROM generations WHERE generation = ?').get(state.live)?.['docs'];
        const size = db
          .prepare(
            `SELECT (page_count - freelist_count) * page_size AS bytes
             FROM pragma_page_count, pragma_freelist_count, pragma_page_size`,
          )
          .get();
        return {
          currentAt: state.currentAt,
          rebuilding: state.next !== 0,
          owner: isHeld(state) ? state.owner : '',
          docs: Number(docs ?? 0),
          conversations: conversationsOf('live'),
          bytes: Number(size?.['bytes']),
          generation: state.live,
          rebuilt: conversationsOf('next'),
        };
      });
    },

    async hold(owner, recipe, currentAt) {
      const found = readState();
      if (found.owner !== owner && isHeld(found)) return { held: false, rebuilding: found.next !== 0 };
      return inTransaction(db, () => {
        const state = readState();
        if (state.owner !== owner && isHeld(state)) return { held: false, rebuilding: state.next !== 0 };
        const { live, next } = prepared(state, recipe);
        db.prepare(
          `UPDATE state SET live = ?, next = ?, owner = ?, held_until = ?, current_at = coalesce(?, current_at)`,
        ).run(live, next, owner, now() + leaseMs, currentAt);
        return { held: true, rebuilding: next !== 0 };
      });
    },

    async release(owner) {
      owned(owner, undefined, () => void db.prepare("UPDATE state SET owner = '', held_until = 0").run());
    },

    async places(target, conversations) {
      return consistently((state) => {
        const generation = targeted(target, state);
        const found = conversations.flatMap((conversation) => {
          const place = generation?.placeOf(conversation) ?? null;
          return place === null ? [] : [[conversation, { indexedTo: place.indexedTo, floor: place.floor }] as const];
        });
        return new Map(found);
      });
    },

    async write(owner, target, pieces) {
      return owned(owner, false, (state) => {
        const generation = targeted(target, state);
        generation?.write(pieces);
        return generation !== null;
      });
    },

    async removeBelow(owner, target, conversation, seq) {
      return owned(owner, null, (state) => targeted(target, state)?.removeBelow(conversation, seq) ?? false);
    },

    async forget(owner, target, conversation) {
      return owned(owner, null, (state) => targeted(target, state)?.forget(conversation) ?? false);
    },

    async beginRebuild(owner, recipe) {
      return owned(owner, false, ({ next }) => {
        removeGeneration(next);
        db.prepare('UPDATE state SET next = ?').run(addGeneration(recipe));
        return true;
      });
    },

    async endRebuild(owner, currentAt) {
      return owned(owner, false, ({ live, next }) => {
        if (next === 0) return false;
        // What was known of the old index holds for it alone.
        db.prepare('UPDATE state SET live = ?, next = 0, current_at = min(current_at, ?)').run(next, currentAt);
        removeGeneration(live);
        return true;
      });
    },

    async tidy(owner) {
      return owned(owner, false, (state) => targeted('live', state)?.tidy() ?? false);
    },

    async close() {
      if (db.isOpen) db.close();
    },
  };
}
