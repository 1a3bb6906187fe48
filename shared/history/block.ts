import { blockFormat, type Block } from './store.ts';

/**
 * What a block may hold. Reads of ranges rely on `messages`: a block that covers a seq begins less than this below it,
 * so a store looks no further down. `characters` keeps a block well below the 16 MB that MongoDB takes.
 */
export const blockLimits = { messages: 1000, characters: 4_000_000 } as const;

/** The texts of a block as one string. Message texts are JSON and hold no raw line end, so '\n' separates them. */
export const joinTexts = (block: Block): string => {
  const { conversation, firstSeq, lastSeq, format, texts } = block;
  const at = `block ${conversation} ${firstSeq}-${lastSeq}`;
  if (format !== blockFormat) throw new Error(`${at}: cannot write format ${format}`);
  if (!Number.isSafeInteger(firstSeq) || !Number.isSafeInteger(lastSeq) || firstSeq < 1 || lastSeq < firstSeq)
    throw new Error(`${at}: not a range of seqs`);
  if (texts.length !== lastSeq - firstSeq + 1) throw new Error(`${at}: ${texts.length} texts for its seqs`);
  if (texts.length > blockLimits.messages) throw new Error(`${at}: more than ${blockLimits.messages} messages`);
  if (texts.some((text) => text.includes('\n'))) throw new Error(`${at}: a text holds a raw line end`);
  const joined = texts.join('\n');
  if (joined.length > blockLimits.characters) throw new Error(`${at}: more than ${blockLimits.characters} characters`);
  return joined;
};

/** A block as stores keep it. */
export type StoredBlock = Omit<Block, 'texts'> & { texts: string };

/** Refuses what it does not know and what does not add up, rather than give wrong texts to a reader. */
export const readBlock = (stored: StoredBlock): Block => {
  const { conversation, firstSeq, lastSeq, firstAt, lastAt, format } = stored;
  const at = `block ${conversation} ${firstSeq}-${lastSeq}`;
  if (format !== blockFormat) throw new Error(`${at}: unknown format ${format}`);
  const texts = stored.texts.split('\n');
  if (texts.length !== lastSeq - firstSeq + 1) throw new Error(`${at}: holds ${texts.length} texts`);
  return { conversation, firstSeq, lastSeq, firstAt, lastAt, format, texts };
};
