import type { Client } from '../../src/entries/client.ts';

/** Saves numbers for support as a file: the client's own report, and the browser. No messages and no names. */
export function saveReport(client: Client): void {
  const report = { ...client.report(), browser: navigator.userAgent };
  const file = new Blob([JSON.stringify(report, null, 2)], { type: 'application/json' });
  const link = document.createElement('a');
  link.href = URL.createObjectURL(file);
  link.download = 'restante-report.json';
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
