/** A server with the hostile function deployed, and things on the host that the function is to be kept from. */
import { once } from 'node:events';
import { cp } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { uptime } from 'node:os';
import { join } from 'node:path';
import { HobServer } from '../support/hob-server.ts';
import { descendants } from '../support/processes.ts';
import { TemporaryFolder } from '../support/temporary-folder.ts';
import { buildCarried } from './build.ts';
import { cgroupOf, containerOf, firstProcesses, statusField } from './container-sight.ts';
import type { HostFacts } from './functions/attacks/attempts.ts';
import { HostileRoot } from './hostile-root.ts';
import type { Sight } from './outside-probes.ts';
import { until } from '../support/until.ts';

export class HostileHost implements AsyncDisposable {
  readonly hob: HobServer;
  /** Folder of the function, with what it carries. */
  readonly folder: string;
  /** The root filesystem, with the hostile program in it. */
  readonly root: string;
  readonly facts: HostFacts;
  readonly #owned: AsyncDisposableStack;

  private constructor(parts: Pick<HostileHost, 'hob' | 'folder' | 'root' | 'facts'>, owned: AsyncDisposableStack) {
    this.hob = parts.hob;
    this.folder = parts.folder;
    this.root = parts.root;
    this.facts = parts.facts;
    this.#owned = owned;
  }

  static async create(): Promise<HostileHost> {
    await using owned = new AsyncDisposableStack();
    const folder = owned.use(await TemporaryFolder.create('attacks'));
    const scratch = owned.use(await TemporaryFolder.create('attacks-objects'));
    await cp(join(import.meta.dirname, 'functions/attacks'), folder.path, { recursive: true });
    await buildCarried(folder.path, scratch.path);
    const root = owned.use(await HostileRoot.create());
    // Of one memory class, so that one zygote has to boot, which takes long in a guest.
    const env = {
      HOB_ROOTFS: root.path,
      HOB_POOL_WARM_MB: '128',
      HOB_KEEP_ALIVE_MS: '3600000',
      HOB_KEEP_ALIVE_POLICY: 'fixed',
    };
    const hob = owned.use(await HobServer.create({ env }));
    await hob.deploy(folder.path);
    const abstractName = `hob-attacks-${process.pid}`;
    const socketPath = join(scratch.path, 'host.sock');
    const listener = await listen(owned, { host: '127.0.0.1', port: 0 });
    await listen(owned, { path: `\0${abstractName}` });
    await listen(owned, { path: socketPath });
    const address = listener.address();
    const facts: HostFacts = {
      uptimeSeconds: uptime(),
      dataDir: hob.dataDir,
      repository: join(import.meta.dirname, '../..'),
      socketPath,
      abstractName,
      port: typeof address === 'object' && address !== null ? address.port : 0,
    };
    return new HostileHost({ hob, folder: folder.path, root: root.path, facts }, owned.move());
  }

  /** The path of a program that the hostile function carries. */
  program(name: string): string {
    return join(this.folder, name);
  }

  /** Puts one call into a container and looks for it from outside. */
  async sight(): Promise<Sight> {
    const pid = await this.container();
    const zygote = descendants(this.hob.pid).find((seen) => cgroupOf(seen.pid).includes('/zygote-'));
    const parked = await until('another container is parked', () =>
      firstProcesses().find((other) => other !== pid && this.#isOurs(other)),
    );
    if (zygote === undefined) throw new Error('no zygote runs');
    return { pid, neighbourPid: parked, zygotePid: zygote.pid };
  }

  /** Host pid of the first process of the container that answers next. */
  async container(): Promise<number> {
    const answer = await this.hob.fn('attacks/');
    const { pidNamespace } = JSON.parse(answer.body.toString('utf8')) as { pidNamespace: string };
    return containerOf(pidNamespace);
  }

  #isOurs(pid: number): boolean {
    return statusField(pid, 'Name') === 'node' && descendants(this.hob.pid).some((seen) => seen.pid === pid);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }
}

async function listen(
  owned: AsyncDisposableStack,
  where: { readonly host: string; readonly port: number } | { readonly path: string },
): Promise<Server> {
  const server = createServer((socket) => socket.destroy()).listen(where);
  await once(server, 'listening');
  owned.defer(async () => {
    server.close();
    await once(server, 'close');
  });
  return server;
}
