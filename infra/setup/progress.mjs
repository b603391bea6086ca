// @ts-check
/** One line for each step of the set-up; a live line while a step takes over a second. */
import { SetupError } from './command.mjs';

const SHOW_AFTER_MS = 1000;
const PLAIN_REPEAT_MS = 15_000;

/** @typedef {(activity: string) => void} Activity tells what the step is doing just now */

/**
 * Runs a step and prints its line.
 *
 * @param {string} name
 * @param {(activity: Activity) => Promise<string> | string} work its result is the line's text
 */
export async function step(name, work) {
  const shown = showProgress(name);
  try {
    const result = await work(shown.activity);
    shown.end();
    console.log(`  ok    ${name.padEnd(18)} ${result}`);
  } catch (error) {
    shown.end();
    console.log(`  fail  ${name.padEnd(18)} ${error instanceof Error ? error.message : String(error)}`);
    throw error;
  }
}

/**
 * Prints what is known of a failed set-up, and the command that would help.
 *
 * @param {unknown} error
 */
export function explain(error) {
  if (!(error instanceof SetupError)) {
    console.error(error);
    return;
  }
  if (error.output.trim() !== '') console.error(`\n${error.output.trimEnd().replaceAll(/^/gm, '        ')}`);
  console.error(`\nset-up failed: ${error.message}\ntry: ${error.remedy}`);
}

/** @param {string} name */
function showProgress(name) {
  const live = process.stdout.isTTY;
  const startedMs = performance.now();
  let activity = '';
  let printedMs = Number.NEGATIVE_INFINITY;
  const print = () => {
    const nowMs = performance.now();
    const text = `  ...   ${name.padEnd(18)} ${Math.round((nowMs - startedMs) / 1000)} s  ${activity}`;
    if (live) process.stdout.write(`\r\u001B[K${text.slice(0, (process.stdout.columns || 80) - 1)}`);
    else if (nowMs - printedMs >= PLAIN_REPEAT_MS) {
      printedMs = nowMs;
      console.log(text.trimEnd());
    }
  };
  const timer = setInterval(print, SHOW_AFTER_MS);
  return {
    /** @type {Activity} */
    activity: (text) => {
      activity = text.replaceAll(/\p{Cc}/gu, ' ');
    },
    end: () => {
      clearInterval(timer);
      if (live) process.stdout.write('\r\u001B[K');
    },
  };
}
