import type { Level } from '../shared/model/levels.ts';
import type { Config } from '../shared/process/config.ts';

/** Features that every gateway of this version serves. */
const always = ['push', 'pull', 'lazy', 'history', 'read', 'large-groups', 'time', 'paced', 'ordered-sends'];

type Given = { config: Config; levels: readonly Level[] };

/**
 * Features that settings, Redis or the deployment may withhold. `formats`: the number (formats.ts) that the deployment
 * must be at, because only from then on every process reads what the feature writes.
 */
const optional = {
  amend: { formats: 3, isOn: () => true },
  receipts: { formats: 3, isOn: ({ config }: Given) => config.RECEIPTS },
  reads: { formats: 3, isOn: () => true },
  settings: { formats: 3, isOn: () => true },
  presence: { formats: 3, isOn: ({ config }: Given) => config.PRESENCE },
  typing: { formats: 3, isOn: () => true },
  ephemeral: { formats: 4, isOn: () => true },
  durable: { formats: 1, isOn: ({ levels }: Given) => levels.includes('durable') },
  search: { formats: 1, isOn: ({ config }: Given) => config.searchUrl !== 'off' },
};

export type FeatureName = keyof typeof optional;
const optionalNames = Object.keys(optional) as FeatureName[];

/**
 * What this gateway serves, as `welcome.features` tells clients. `levels` and `formats` are asked each time: a rolling
 * update, or a Redis of another kind, changes them while the gateway runs.
 */
export function createFeatures(config: Config, levels: () => readonly Level[], formats: () => number) {
  const given: Given = {
    config,
    get levels() {
      return levels();
    },
  };
  function serves(name: FeatureName): boolean {
    const feature = optional[name];
    return formats() >= feature.formats && feature.isOn(given);
  }
  return {
    /** Whether frames and routes of this feature are served now. */
    serves,
    list: (): string[] => [...always, ...optionalNames.filter(serves)],
  };
}

export type Features = ReturnType<typeof createFeatures>;
