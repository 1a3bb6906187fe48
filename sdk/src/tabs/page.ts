/** The part of a page that tells when it stops to run. None of it exists in Node. */
export type LeavingPage = {
  addEventListener?(type: string, listener: () => void): void;
  removeEventListener?(type: string, listener: () => void): void;
  document?: LeavingPage;
};

/**
 * Runs when the page is frozen or left, while it still can: it may come back from either. Returns the function that
 * ends it.
 */
export function whenLeft(page: LeavingPage, run: () => void): () => void {
  page.addEventListener?.('pagehide', run);
  page.document?.addEventListener?.('freeze', run);
  return () => {
    page.removeEventListener?.('pagehide', run);
    page.document?.removeEventListener?.('freeze', run);
  };
}
