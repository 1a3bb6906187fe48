import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Files that take long although they are short, the longest first (measured on 2 cores). Without earlier results the
 * runner goes by size, so the last of them would run alone at the end.
 */
const long = [
  'conformance/mongo-faults',
  'receiving/redelivery-jobs',
  'process/faults',
  'process/large-groups',
  'process/mongo-history',
];

const place = ({ moduleId }: TestSpecification): number => {
  const found = long.findIndex((name) => moduleId.endsWith(`/${name}.test.ts`));
  return found === -1 ? long.length : found;
};

/** Within each group that runs at the same time, the files named above come first. */
export class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const group = ({ project }: TestSpecification): number => project.config.sequence.groupOrder;
    return (await super.sort(files)).sort((one, other) => group(one) - group(other) || place(one) - place(other));
  }
}
