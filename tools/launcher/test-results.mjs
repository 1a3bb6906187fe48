/**
 * `node tools/launcher/test-results.mjs <folder> ...`: adds up the test runs in the folders, and names skipped and
 * failed tests. The last line is the total. Fails if a test failed or none ran. A folder holds the JSON results of the
 * test runner and, in `exit-code`, the exit code of its command.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

/** @typedef {{fullName: string, status: string, failureMessages: string[]}} Test */
/** @typedef {{name: string, status: string, message: string, assertionResults: Test[]}} TestFile */

const mostLines = 15;

let passed = 0;
let failed = 0;
/** @type {Set<string>} */
const failures = new Set();
/** @type {Set<string>} a test that is in two runs is named once */
const skipped = new Set();
let skippedCount = 0;

for (const folder of process.argv.slice(2)) {
  const failedBefore = failed;
  const reports = readdirSync(folder).filter((name) => name.endsWith('.json'));
  for (const report of reports) {
    /** @type {{testResults: TestFile[]}} */
    const { testResults } = JSON.parse(readFileSync(join(folder, report), 'utf8'));
    for (const file of testResults) count(file);
  }
  // Any other reason for the command to fail (a type error, a failed start) is one failure.
  const code = Number(readFileSync(join(folder, 'exit-code'), 'utf8'));
  if ((code !== 0 || reports.length === 0) && failed === failedBefore) {
    failures.add(`${basename(folder)} ended with exit code ${code}`);
    failed += 1;
  }
}

for (const name of skipped) process.stdout.write(`skipped: ${name}\n`);
for (const name of failures) process.stdout.write(`failed: ${name}\n`);
process.stdout.write(`${passed} passed, ${failed} failed${skippedCount > 0 ? `, ${skippedCount} skipped` : ''}\n`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;

/** @param {TestFile} file */
function count(file) {
  const before = failed;
  for (const { fullName, status, failureMessages } of file.assertionResults) {
    const name = `${basename(file.name)} > ${fullName}`;
    if (status === 'passed') passed += 1;
    else if (status === 'failed') {
      failed += 1;
      failures.add(`${name}: ${shortly(failureMessages[0])}`);
    } else {
      skippedCount += 1;
      skipped.add(name);
    }
  }
  // A file that could not even be loaded has no failed test of its own.
  if (file.status === 'failed' && failed === before) {
    failed += 1;
    failures.add(`${basename(file.name)}: ${shortly(file.message)}`);
  }
}

/**
 * What went wrong, and where: the first lines without those of libraries. Often nobody sees more of a run.
 *
 * @param {string | undefined} text
 */
function shortly(text) {
  const lines = stripVTControlCharacters(text ?? '')
    .trim()
    .split('\n')
    .filter((line) => line.trim() !== '' && !/node_modules|<anonymous>/.test(line));
  return lines.length === 0 ? 'no reason given' : lines.slice(0, mostLines).join('\n    ');
}
