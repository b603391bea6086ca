/** The entry of the `hob` command: checks the Node it runs in, and hands over what belongs to the process. */

/** The oldest Node that all of hob runs in. */
const NODE_MIN = [24, 12] as const;

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < NODE_MIN[0] || (major === NODE_MIN[0] && minor < NODE_MIN[1])) {
  const needed = `hob needs Node ${NODE_MIN.join('.')}, this is ${process.versions.node}`;
  process.stderr.write(`error: ${needed}\nhint: run it as "npx hob"\n`);
  process.exit(1);
}

// Imported only now, because an older Node could not even read what follows.
const { run } = await import('./run.ts');
const { argv, env, stdin, stdout, stderr } = process;
process.exitCode = await run(argv.slice(2), { env: { ...env }, stdin, stdout, stderr });
