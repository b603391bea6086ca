import koffi from 'koffi';
import { checked, stepName } from './errors.ts';

const KEY_BYTES_MAX = 24;
const STEP_BYTES = 64;
const ADDRESS_CHARS = 46;
const PREFIX_CHARS = 32;
const ENOENT = -2;
const ENOBUFS = -105;
/** Protocols of netlink(7). */
const NETLINK_ROUTE = 0;
const NETLINK_NETFILTER = 12;

/** `struct hob_element` of native/include/hob-network.h. */
export interface FilterElement {
  /** Fields in network order, each padded to four bytes; a mark is in the machine's own order. */
  readonly key: Uint8Array;
  /** The last key of a range. */
  readonly keyEnd?: Uint8Array;
  /** The set is a map to marks. */
  readonly mark?: number;
  readonly timeoutMs?: number;
}

/** A packet that the filter told of. */
export interface FilterDenial {
  /** As in the IP header: 6 is TCP, 17 is UDP. */
  readonly protocol: number;
  /** Number of the interface that it came in by. */
  readonly link: number;
  /** 0 when there is none. */
  readonly port: number;
  readonly source: string;
  readonly destination: string;
  /** What the rule says. */
  readonly prefix: string;
}

/** What a read of the filter's log gives: a packet, nothing now, or word that some were lost. */
export type DenialReading = FilterDenial | 'none' | 'lost';

/** native/include/hob-network.h, where each function is described. All throw ERR_NATIVE_SYSCALL with their step. */
export interface NativeNetwork {
  /** @returns a descriptor of the new namespace; the caller owns it. */
  createNamespace(): number;
  /** Moves this thread into a network namespace, for good. */
  enter(namespace: number): void;
  /** Runs something synchronous in another network namespace. What it starts or opens there stays there. */
  within<T>(namespace: number, run: () => T): T;
  openRoutes(): number;
  openFilter(): number;
  createVeth(routes: number, name: string, peer: string, peerNamespace: number): void;
  setLinkUp(routes: number, name: string): void;
  linkIndex(routes: number, name: string): number;
  deleteLink(routes: number, name: string): void;
  addAddress(routes: number, name: string, address: string, prefixBits: number): void;
  addRoute(routes: number, route: LinkRoute): void;
  setElement(filter: number, table: string, set: string, element: FilterElement): void;
  /** One that is not there is fine. */
  deleteElement(filter: number, table: string, set: string, element: FilterElement): void;
  /** @returns whether there was one. */
  deleteTable(filter: number, table: string): boolean;
  deleteFlows(filter: number, mark: number, mask: number): void;
  openDenials(group: number): number;
  readDenial(fd: number): DenialReading;
  bindSocket(kind: 'tcp' | 'udp', address: string, port: number): number;
}

/** A route by way of a link. */
export interface LinkRoute {
  readonly name: string;
  readonly destination: string;
  readonly prefixBits: number;
  readonly via?: string;
}

/** `struct hob_element`: two keys, then five numbers. */
const ELEMENT_BYTES = 2 * KEY_BYTES_MAX + 5 * 4;

function toStruct({ key, keyEnd, mark, timeoutMs }: FilterElement): Buffer {
  const struct = Buffer.alloc(ELEMENT_BYTES);
  struct.set(key, 0);
  struct.set(keyEnd ?? [], KEY_BYTES_MAX);
  const numbers = [key.byteLength, keyEnd === undefined ? 0 : 1, mark === undefined ? 0 : 1, mark ?? 0, timeoutMs ?? 0];
  for (const [at, number] of numbers.entries()) struct.writeUInt32LE(number, 2 * KEY_BYTES_MAX + 4 * at);
  return struct;
}

const TEXT_AT = 12;
const DENIAL_BYTES = TEXT_AT + 2 * ADDRESS_CHARS + PREFIX_CHARS;

function fromStruct(struct: Buffer): FilterDenial {
  const textAt = (at: number): string => struct.toString('latin1', at, struct.indexOf(0, at));
  return {
    protocol: struct.readUInt32LE(0),
    link: struct.readUInt32LE(4),
    port: struct.readUInt32LE(8),
    source: textAt(TEXT_AT),
    destination: textAt(TEXT_AT + ADDRESS_CHARS),
    prefix: textAt(TEXT_AT + 2 * ADDRESS_CHARS),
  };
}

type Bind = (name: string, parameters: string[]) => (...args: unknown[]) => number;

const text = 'const char *';
const bytes = 'uint8_t *';
const done = (step: string, result: number): void => void checked(step, result);

type Spaces = Pick<NativeNetwork, 'createNamespace' | 'enter' | 'within' | 'openRoutes' | 'openFilter' | 'bindSocket'>;

function bindSpaces(bind: Bind): Spaces {
  const own = bind('hob_namespace_own', []);
  const create = bind('hob_namespace_create', [bytes]);
  const enter = bind('hob_namespace_enter', ['int']);
  const close = bind('hob_close', ['int']);
  const netlink = bind('hob_netlink_open', ['int']);
  const socket = bind('hob_socket_bind', ['int', text, 'int']);
  const step = Buffer.alloc(STEP_BYTES);
  return {
    createNamespace() {
      const fd = create(step);
      return fd >= 0 ? fd : checked(stepName(step), fd);
    },
    enter: (namespace) => done('namespace', enter(namespace)),
    within(namespace, run) {
      const home = checked('home', own());
      try {
        checked('namespace', enter(namespace));
        try {
          return run();
        } finally {
          // Whatever went on from here would bind and connect in the wrong namespace.
          if (enter(home) < 0) process.abort();
        }
      } finally {
        close(home);
      }
    },
    openRoutes: () => checked('netlink', netlink(NETLINK_ROUTE)),
    openFilter: () => checked('netfilter', netlink(NETLINK_NETFILTER)),
    bindSocket: (kind, where, port) => checked('bind', socket(kind === 'tcp' ? 1 : 0, where, port)),
  };
}

type Links = Pick<NativeNetwork, 'createVeth' | 'setLinkUp' | 'linkIndex' | 'deleteLink' | 'addAddress' | 'addRoute'>;

function bindLinks(bind: Bind): Links {
  const veth = bind('hob_veth_create', ['int', text, text, 'int']);
  const linkUp = bind('hob_link_up', ['int', text]);
  const linkIndex = bind('hob_link_index', ['int', text]);
  const linkDelete = bind('hob_link_delete', ['int', text]);
  const address = bind('hob_address_add', ['int', text, text, 'int']);
  const route = bind('hob_route_add', ['int', text, text, 'int', text]);
  return {
    createVeth: (routes, name, peer, namespace) => done('veth', veth(routes, name, peer, namespace)),
    setLinkUp: (routes, name) => done('link up', linkUp(routes, name)),
    linkIndex: (routes, name) => checked('link', linkIndex(routes, name)),
    deleteLink: (routes, name) => done('link delete', linkDelete(routes, name)),
    addAddress: (routes, name, where, bits) => done('address', address(routes, name, where, bits)),
    addRoute: (routes, { name, destination, prefixBits, via }) =>
      done('route', route(routes, name, destination, prefixBits, via ?? null)),
  };
}

function bindFilter(
  bind: Bind,
): Pick<NativeNetwork, 'setElement' | 'deleteElement' | 'deleteTable' | 'deleteFlows' | 'openDenials' | 'readDenial'> {
  const elementSet = bind('hob_element_set', ['int', text, text, bytes]);
  const elementDelete = bind('hob_element_delete', ['int', text, text, bytes]);
  const tableDelete = bind('hob_table_delete', ['int', text]);
  const flows = bind('hob_flows_delete', ['int', 'uint32_t', 'uint32_t']);
  const denialsOpen = bind('hob_denials_open', ['int']);
  const denialsRead = bind('hob_denials_read', ['int', bytes]);
  const denial = Buffer.alloc(DENIAL_BYTES);
  return {
    setElement: (filter, table, set, what) => done('filter', elementSet(filter, table, set, toStruct(what))),
    deleteElement(filter, table, set, what) {
      const result = elementDelete(filter, table, set, toStruct(what));
      if (result !== ENOENT) done('filter', result);
    },
    deleteTable(filter, table) {
      const result = tableDelete(filter, table);
      if (result !== ENOENT) done('filter', result);
      return result === 0;
    },
    deleteFlows: (filter, mark, mask) => done('flows', flows(filter, mark, mask)),
    openDenials: (group) => checked('denials', denialsOpen(group)),
    readDenial(fd) {
      const result = denialsRead(fd, denial);
      if (result === ENOBUFS) return 'lost';
      return checked('denials', result) === 0 ? 'none' : fromStruct(denial);
    },
  };
}

/** Loads the network functions of libhob. @param path absolute path of libhob.so. */
export function loadNetwork(path: string): NativeNetwork {
  const library = koffi.load(path);
  const bind: Bind = (name, parameters) => library.func(name, 'int', parameters);
  return { ...bindSpaces(bind), ...bindLinks(bind), ...bindFilter(bind) };
}
