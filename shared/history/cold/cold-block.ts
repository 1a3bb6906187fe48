import { hash } from 'node:crypto';
import { joinTexts, readBlock } from '../block.ts';
import { type Block, blockFormats, type BlockRevision } from '../store.ts';

/**
 * A block as an object: a line of JSON that says what it is, so that one that was mixed up is recognised, then its
 * texts packed.
 *
 *   {"format":1,"conversation":"…","firstSeq":1,"lastSeq":1000,"firstAt":…,"lastAt":…,"rev":1}\n<zstd of the texts,
 *   joined by line ends>
 *
 * `rev` is the revision of the texts; one that is 0 is left out, and so it is in the name.
 */
const objectFormat = 1;
const lineEnd = 0x0a;

/** Number of folders for objects; the conversation's hash chooses one. */
export const coldFolders: readonly string[] = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'));

const folderOf = (conversation: string): string => hash('sha1', conversation, 'hex').slice(0, 2);

/**
 * The name of a block's object: a function of its place and revision. Capitals are spelt `~a`, since some file systems
 * take `A` for `a`.
 */
export function coldName({ conversation, firstSeq, lastSeq, rev }: BlockRevision): string {
  if (!/^[\w-]+$/.test(conversation)) throw new Error('an id that cannot be part of a name');
  const spelt = conversation.replaceAll(/[A-Z]/g, (letter) => `~${letter.toLowerCase()}`);
  return `${folderOf(conversation)}/${spelt}.${firstSeq}-${lastSeq}${rev === 0 ? '' : `.${rev}`}`;
}

/** The block that an object was made of; null: the name is none of ours. */
export function coldRevision(name: string): BlockRevision | null {
  const [, spelt, firstSeq, lastSeq, rev = '0'] = /^\w+\/([a-z0-9_~-]+)\.(\d+)-(\d+)(?:\.(\d+))?$/.exec(name) ?? [];
  if (spelt === undefined) return null;
  const conversation = spelt.replaceAll(/~([a-z])/g, (_, letter: string) => letter.toUpperCase());
  const block = { conversation, firstSeq: Number(firstSeq), lastSeq: Number(lastSeq), rev: Number(rev) };
  return !conversation.includes('~') && coldName(block) === name ? block : null;
}

export function toObject(block: Block): Uint8Array {
  const { conversation, firstSeq, lastSeq, firstAt, lastAt, rev } = block;
  const place = { format: objectFormat, conversation, firstSeq, lastSeq, firstAt, lastAt };
  const head = JSON.stringify(rev === 0 ? place : { ...place, rev });
  return Buffer.concat([Buffer.from(`${head}\n`), joinTexts({ ...block, format: blockFormats.packed }) as Uint8Array]);
}

/**
 * The texts of a cold block. Refuses an object that is of another block or cannot be read, rather than give wrong
 * texts.
 */
export function textsOf(object: Uint8Array, cold: Block): string[] {
  const end = object.indexOf(lineEnd);
  const name = coldName(cold);
  let head: Partial<BlockRevision & { format: number }>;
  try {
    head = JSON.parse(Buffer.from(object.subarray(0, Math.max(0, end))).toString()) as typeof head;
  } catch (error) {
    throw new Error(`object ${name}: cannot be read`, { cause: error });
  }
  if (head.format !== objectFormat) throw new Error(`object ${name}: unknown format ${head.format}`);
  const { conversation, firstSeq, lastSeq, rev = 0 } = head;
  if (conversation !== cold.conversation || firstSeq !== cold.firstSeq || lastSeq !== cold.lastSeq || rev !== cold.rev)
    throw new Error(`object ${name}: is of another block`);
  return readBlock({ ...cold, format: blockFormats.packed, texts: object.subarray(end + 1) }).texts;
}
