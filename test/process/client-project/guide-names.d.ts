import type * as restante from 'restante-client';
import type * as indexed from 'restante-client/indexeddb';

/** What the code of the guides uses without saying where it comes from. */
declare global {
  type Environment = restante.Environment;
  const url: string;
  const getToken: () => string;
  const storage: restante.Storage;
  const client: restante.Client;
  const chat: restante.Conversation;
  const createClient: typeof restante.createClient;
  const indexedDb: typeof indexed.indexedDb;
  const render: (value: unknown) => void;
  const showButton: (action: () => Promise<void>) => void;
  const showMessage: (message: { body: unknown }) => void;
  const AppState: {
    currentState: string;
    addEventListener(type: 'change', listener: (state: string) => void): { remove(): void };
  };
  const NetInfo: { addEventListener(listener: (state: { isConnected: boolean | null }) => void): () => void };
}
