import { receiptsFrame } from '../../shared/protocol/frame-text.ts';
import { unusedIsEmpty } from '../reads/read-marks.ts';
import type { ReceiptStates } from '../reads/receipt-states.ts';
import type { Connection, FrameOf } from '../socket/connection.ts';
import { targetOf } from './target.ts';

/** `receipts`: answers how far the others have received and read; nobody before the first message of two users. */
export const createReceipts =
  (receiptStates: Pick<ReceiptStates, 'of'>) =>
  async ({ session }: Connection, frame: FrameOf<'receipts'>): Promise<string> => {
    const { user } = session!;
    const conversation = targetOf(user, frame);
    const members = await receiptStates.of(conversation, user).catch(unusedIsEmpty(frame.to !== undefined, []));
    return receiptsFrame(frame.id, conversation, members);
  };
