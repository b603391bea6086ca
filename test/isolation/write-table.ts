/**
 * Makes RESULTS.md from results.json, after adding to that the files which are named: those that runs with
 * HOB_ISOLATION_RESULTS wrote, such as `.hob/vm/results/<guest>/isolation.json` of the guests.
 */
import { writeFileSync } from 'node:fs';
import { attempts } from './attempts.ts';
import { readResults, resultsFile, resultsTable, tableFile, writeResults } from './results.ts';

for (const file of process.argv.slice(2)) {
  for (const [kind, results] of Object.entries(readResults(file))) writeResults(resultsFile, kind, results);
}
writeFileSync(tableFile, resultsTable(attempts, readResults()));
