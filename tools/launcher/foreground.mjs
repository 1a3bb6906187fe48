/** A program that replaces this process: same input and output, signals forwarded, exit code returned. */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { Failure } from './failure.mjs';
import { childEnvironment, installRoot } from './runtime.mjs';

/** @type {NodeJS.Signals[]} */
export const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/**
 * @param {string[]} command
 * @returns {Promise<number>} the exit code; 128 + n after signal n, as in shells
 */
export function runInForeground([file = '', ...args]) {
  const child = spawn(file, args, { cwd: installRoot, env: childEnvironment(process.env), stdio: 'inherit' });
  const onTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
  /** @param {NodeJS.Signals} signal */
  const passOn = (signal) => {
    // Ctrl-C in a terminal already reaches the whole foreground group; forwarded, it would count as a second one.
    if (signal !== 'SIGINT' || !onTerminal) child.kill(signal);
  };
  for (const signal of signals) process.on(signal, passOn);
  return new Promise((resolve, reject) => {
    child.once('error', (error) => reject(new Failure(`${file} cannot be started: ${error.message}`)));
    child.once('exit', (code, signal) => {
      for (const name of signals) process.off(name, passOn);
      resolve(signal === null ? (code ?? 1) : 128 + constants.signals[signal]);
    });
  });
}
