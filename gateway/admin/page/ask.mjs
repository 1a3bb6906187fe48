/**
 * Asks the gateway, as JSON. Rejects with what the gateway says when it refuses.
 * @param {string} path below /admin/api/
 * @param {'GET' | 'POST'} [method]
 * @returns {Promise<any>}
 */
export async function ask(path, method = 'GET') {
  const response = await fetch(`/admin/api/${path}`, { method, headers: { 'x-restante-admin': '1' } });
  const body = await response.json().catch(() => null);
  if (!response.ok) throw new Error(body?.error?.message ?? `the gateway answered with status ${response.status}`);
  return body;
}
