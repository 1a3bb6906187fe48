import { parseArgs } from 'node:util';
import { idPattern } from '../shared/model.ts';
import { parseTtl, signToken } from './sign-token.ts';
import { Complaint, findSecret } from './surroundings.ts';

const usage = 'usage: npm run token -- USER [--service] [--ttl 1h] [--dev DEVICE]';

/** Prints a token for a user; stdout carries nothing else, so that it can be captured. */
const run = async (): Promise<void> => {
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
  if (user === undefined || rest.length > 0) throw new Complaint(usage);
  if (!idPattern.test(user)) throw new Complaint(`not a user id: ${user} (1 to 64 letters, digits, "_" and "-")`);
  if (values.dev !== undefined && !idPattern.test(values.dev)) throw new Complaint(`not a device id: ${values.dev}`);
  const ttlSeconds = parseTtl(values.ttl);
  if (ttlSeconds === null) throw new Complaint(`not a time to live: ${values.ttl} (90s, 15m, 1h, 7d)`);
  const token = await signToken(await findSecret(process.env), {
    user,
    ttlSeconds,
    ...(values.dev === undefined ? {} : { device: values.dev }),
    service: values.service === true,
  });
  process.stdout.write(`${token}\n`);
};

try {
  await run();
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
}
