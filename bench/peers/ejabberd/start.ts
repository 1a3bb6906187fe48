/** ejabberd with offline messages and stream management; and the same with the archive of messages (MAM). */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findProgram } from '../find-program.ts';
import type { Peer } from '../peer.ts';
import { startProgram } from '../start-program.ts';

/** Without a shaper: the usual configuration lets a client send a kilobyte a second. */
const configOf = (port: number, archive: boolean): string => `
hosts: [localhost]
loglevel: warning
listen:
  - {port: ${port}, ip: "127.0.0.1", module: ejabberd_c2s, backlog: 1024}
auth_method: external
extauth_program: "${process.execPath} ${join(import.meta.dirname, 'accounts.mjs')}"
modules:
  mod_offline: {}
  mod_stream_mgmt: {}
${archive ? '  mod_mam: {default: always}' : ''}
`;

/** Where its modules are: its own start script knows. */
async function librariesOf(script: string): Promise<string> {
  const found = /^ERL_LIBS='?([^'\n]+)/m.exec(await readFile(script, 'utf8'))?.[1];
  if (found === undefined) throw new Error(`${script} does not say where the modules of ejabberd are`);
  return found;
}

const withArchive = (archive: boolean): Peer => ({
  missing: async () => {
    const programs = await Promise.all([findProgram('ejabberdctl'), findProgram('erl')]);
    return programs.includes(null) ? 'no ejabberdctl and erl on PATH: apt-get install ejabberd' : null;
  },
  start: async (env) => {
    const erl = (await findProgram('erl'))!;
    const libraries = await librariesOf((await findProgram('ejabberdctl'))!);
    return startProgram(env, {
      name: 'ejabberd',
      redis: false,
      prepare: async ({ dir, port }) => {
        const config = join(dir, 'ejabberd.yml');
        await writeFile(config, configOf(port, archive));
        // Without a name for the node, there is no daemon of Erlang that would stay behind.
        return {
          command: [erl, '-noinput', '+K', 'true', '-mnesia', 'dir', `"${dir}"`, '-s', 'ejabberd'],
          env: {
            ERL_LIBS: libraries,
            EJABBERD_CONFIG_PATH: config,
            EJABBERD_LOG_PATH: join(dir, 'ejabberd.log'),
            HOME: dir,
          },
        };
      },
    });
  },
});

export const ejabberd = withArchive(false);
export const ejabberdArchive = withArchive(true);
