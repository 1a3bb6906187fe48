/**
 * The Content-Security-Policy of the pages that gateways serve. Each is one file with its script and style inside. It
 * loads nothing from elsewhere, talks to its own gateway only, and cannot be framed.
 */
export const pagePolicy = [
  "default-src 'none'",
  "script-src 'unsafe-inline'",
  "style-src 'unsafe-inline'",
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');
