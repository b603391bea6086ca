/** Makes RESULTS.md from results.json. */
import { writeFileSync } from 'node:fs';
import { attempts } from './attempts.ts';
import { readResults, resultsTable, tableFile } from './results.ts';

writeFileSync(tableFile, resultsTable(attempts, readResults()));
