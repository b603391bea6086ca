// Leaves traces wherever it can, and tells those that it finds.
import { existsSync, writeFileSync } from 'node:fs';

const globals = globalThis as { trace?: true };
let calls = 0;

export default (): Response => {
  calls += 1;
  const found = { calls, global: globals.trace === true, file: existsSync('/tmp/trace') };
  globals.trace = true;
  writeFileSync('/tmp/trace', '');
  return Response.json(found);
};
