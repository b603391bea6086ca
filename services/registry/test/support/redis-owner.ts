/** A process that starts a RedisServer in the folder it is given, prints its pid, and stays until it is killed. */
import { RedisServer } from '../../src/index.ts';
import { quiet } from './logger.ts';

const server = await RedisServer.start({ folder: process.argv[2] ?? '', log: quiet });
console.log(server.pid);
