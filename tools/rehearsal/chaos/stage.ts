import type { Line } from '../../harness/server-process.ts';
import type { ShiftedClock } from '../../harness/shifted-clocks.ts';
import type { Random } from '../irc/random.ts';
import type { ChaosCluster } from './cluster.ts';
import type { ChaosEvent, Level } from './recording.ts';

/** What a step of a schedule acts upon. */
export type Stage = {
  readonly cluster: ChaosCluster;
  /** Repeatable for one schedule; for choices that depend on the state of the run, such as where a file is cut. */
  readonly random: Random;
  note(event: ChaosEvent): void;
  /** What the machine has for this run: a small file system that a fault has asked for. */
  readonly disk: string | null;
  /** Adds up to what the table shows beside the counts of the checker: a promise that the step itself saw broken. */
  violation(text: string): void;
  /** The clock of a process that the fault has asked for. */
  clock(name: string): ShiftedClock;
  /** Takes from Redis, which must not run, what it had not synced; resolves the number of bytes. */
  cutUnsynced(): number;
  /** From here on it is measured how long no send is accepted, or how long nothing comes to its reader. */
  measure(until: 'accepted' | 'delivered'): void;
  /** From here on state may be gone, or nobody left who could say that it is not. */
  mayLose(upTo: Level | null, certain?: boolean): void;
};

/** One step: what is done when. `text` says it for people; the same seed gives the same steps. */
export type Step = {
  /** Since the fault began (ms). A step that takes longer than planned delays those after it. */
  readonly atMs: number;
  readonly act: string;
  readonly run: (stage: Stage) => Promise<void> | void;
};

export type Group = 'processes' | 'restarts' | 'cuts' | 'wipes' | 'network' | 'clocks' | 'resources' | 'combined';

/** What a run has to offer to a fault. */
export type Ground = {
  readonly on: 'redis' | 'replica';
  readonly store: 'sqlite' | 'mongodb';
  readonly level: Level;
  readonly fast: boolean;
  readonly mode: 'liveness' | 'safety';
};

/** What a fault needs of the cluster, beside what every run has. */
export type Needs = {
  /** Names of processes, or `redis-1`, whose clocks can be moved. */
  clocks?: readonly string[];
  /** A file system of its own with so many bytes, for the files of Redis or the history. */
  disk?: { bytes: number; of: 'redis' | 'history' };
  /** What Redis has written and not synced can be taken from it, and nothing else. */
  powerCuts?: boolean;
  /** Numbers of processes that differ from those of other runs. */
  counts?: Readonly<Partial<Record<Line, number>>>;
  mongoNodes?: number;
  env?: Readonly<Record<string, string>>;
  redisArgs?: readonly string[];
};

export type Fault = {
  /** `F7a`, as in the list of docs/operations/chaos.md. */
  readonly name: string;
  readonly does: string;
  readonly group: Group;
  /**
   * `none`: the epoch must stay as it is. `possible`: it may change. `certain`: it must. Steps say with `mayLose` when
   * and what.
   */
  readonly loss: 'none' | 'possible' | 'certain';
  readonly needs?: Needs;
  /** Why it cannot run on this ground; null if it can. */
  readonly cannot?: (ground: Ground) => string | null;
  readonly plan: (random: Random, ground: Ground) => Step[];
};
