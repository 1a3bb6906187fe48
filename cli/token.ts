import { parseArgs } from 'node:util';
import { idPattern } from '../shared/model/model.ts';
import { parseTtl, signToken } from '../tools/harness/sign-token.ts';
import { UsageError, findSecret, tokenRules } from './context.ts';

const usage = `usage: npm run token -- USER [--service] [--ttl 1h] [--dev DEVICE]

Prints a token for the user, signed with AUTH_SECRET or the secret in DATA_DIR.

  --service     the token of a back end, which acts for any user
  --ttl TIME    how long it is valid: 90s, 15m, 1h, 7d (default 1h)
  --dev DEVICE  binds the token to one device`;

/** Prints a token for a user; stdout carries nothing more, so that it can be captured. */
async function run(): Promise<void> {
  const { values, positionals } = parseArgs({
    args: process.argv.slice(2),
    options: {
      service: { type: 'boolean' },
      ttl: { type: 'string', default: '1h' },
      dev: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
    allowPositionals: true,
  });
  if (values.help === true) {
    process.stderr.write(`${usage}\n`);
    return;
  }
  const [user, ...rest] = positionals;
  if (user === undefined || rest.length > 0) throw new UsageError(usage);
  if (!idPattern.test(user)) throw new UsageError(`not a user id: ${user} (1 to 64 letters, digits, "_" and "-")`);
  if (values.dev !== undefined && !idPattern.test(values.dev)) throw new UsageError(`not a device id: ${values.dev}`);
  const ttlSeconds = parseTtl(values.ttl);
  if (ttlSeconds === null) throw new UsageError(`not a time to live: ${values.ttl} (such as 90s, 15m, 1h, 7d)`);
  const token = signToken(await findSecret(process.env), {
    user,
    ttlSeconds,
    ...(values.dev === undefined ? {} : { device: values.dev }),
    service: values.service === true,
    ...tokenRules(process.env),
  });
  process.stdout.write(`${token}\n`);
}

try {
  await run();
} catch (error) {
  const isUsage = (error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS') === true;
  process.stderr.write(`${(error as Error).message}\n${isUsage ? `\n${usage}\n` : ''}`);
  process.exitCode = 1;
}
