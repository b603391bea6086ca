/** Run by tests: a launcher for the client that it inherited, as `hob serve` has one in its own process. */
import { pino } from 'pino';
import type { DriverOptions } from '../../src/driver/driver-options.ts';
import { inheritedConnection } from '../../src/launcher/connection.ts';
import { Launcher } from '../../src/launcher/launcher.ts';

const { options, containersMax }: { options: DriverOptions; containersMax: number } = JSON.parse(
  process.argv[2] ?? '{}',
);
const { socket, channel } = inheritedConnection();
const serving = async (note: object): Promise<string> => JSON.stringify(note);
const log = pino({ level: 'silent' });
const launcher = await Launcher.open({ driver: options, containersMax, log, serving });
await launcher.serve(socket, channel);
