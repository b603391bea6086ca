import { fail } from '@hob/contracts';
import { CallTrace } from './call-trace.ts';
import { CsvTable } from './csv-table.ts';
import { MinuteTrace } from './minute-trace.ts';
import { functionKey, type Trace } from './trace.ts';

/** How long a call takes in a trace that does not tell, ms. */
export const DURATION_DEFAULT_MS = 100;
/** What a container takes when no file tells, MB: as much as a function may that says nothing of it. */
export const MEMORY_DEFAULT_MB = 256;

/** The files of one trace. */
export interface TraceFiles {
  readonly trace: string;
  readonly durations?: string | undefined;
  readonly memory?: string | undefined;
}

/** A trace, and the memory of a container of each of its functions, MB. */
export interface SizedTrace {
  readonly trace: Trace;
  readonly memoryMb: readonly number[];
}

/**
 * Reads the CSV files of the Azure Functions data sets, in the form of 2019 or of 2021.
 *
 * @throws ERR_CLI_BAD_TRACE with file and line; ERR_CLI_USAGE for durations beside a trace that has them.
 */
export async function readTrace(files: TraceFiles): Promise<SizedTrace> {
  const trace = await readCalls(files);
  if (trace.size === 0) throw fail('ERR_CLI_BAD_TRACE', [files.trace, 1, 'there is no call in it']);
  const known = files.memory === undefined ? new Map<string, number>() : await readMemory(files.memory);
  const memoryMb = trace.functions.map(
    ({ app, name }) => known.get(functionKey(app, name)) ?? known.get(app) ?? MEMORY_DEFAULT_MB,
  );
  return { trace, memoryMb };
}

async function readCalls({ trace, durations }: TraceFiles): Promise<Trace> {
  const table = await CsvTable.open(trace);
  if (table.columns.includes('end_timestamp')) {
    if (durations !== undefined) throw fail('ERR_CLI_USAGE', [`${trace} has durations: leave out --durations`]);
    return CallTrace.read(table);
  }
  if (table.columns.includes('HashFunction') && table.columns.includes('1')) {
    const known = durations === undefined ? new Map<string, number>() : await readDurations(durations);
    return MinuteTrace.read(table, known, DURATION_DEFAULT_MS);
  }
  const forms = '"HashOwner,HashApp,HashFunction,Trigger,1,2…" (2019) nor "app,func,end_timestamp,duration" (2021)';
  throw fail('ERR_CLI_BAD_TRACE', [trace, 1, `the columns are neither ${forms}`]);
}

/** How long calls take on average, ms, by `functionKey`. */
async function readDurations(file: string): Promise<Map<string, number>> {
  const table = await CsvTable.open(file);
  const [app, name, average] = [table.column('HashApp'), table.column('HashFunction'), table.column('Average')];
  const durations = new Map<string, number>();
  while (await table.next()) {
    durations.set(functionKey(table.text(app), table.text(name)), table.number(average));
  }
  return durations;
}

/** Average memory, MB: by application as in the data set, or by `functionKey` when the file names functions. */
async function readMemory(file: string): Promise<Map<string, number>> {
  const table = await CsvTable.open(file);
  const [app, average] = [table.column('HashApp'), table.column('AverageAllocatedMb')];
  const name = table.columns.indexOf('HashFunction');
  const memory = new Map<string, number>();
  while (await table.next()) {
    const key = name < 0 ? table.text(app) : functionKey(table.text(app), table.text(name));
    const megabytes = table.number(average);
    if (megabytes === 0) throw table.bad('a container without memory');
    memory.set(key, megabytes);
  }
  return memory;
}
