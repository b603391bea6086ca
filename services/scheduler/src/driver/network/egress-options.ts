import { NAME_SERVERS } from '@hob/contracts';
import { type Static, Type } from 'typebox';
import { Create } from 'typebox/value';

/** How containers of class `egress` are connected: the one source of these settings' defaults, ranges and documentation. */
export const egressOptionsSchema = Type.Object(
  {
    range4: Type.String({
      default: '10.214.0.0/16',
      description: 'Private IPv4 network, /8 to /20, that the addresses of containers with a network are taken from.',
    }),
    range6: Type.String({
      default: 'fd68:6f62:1::/48',
      description: 'Unique local IPv6 network, /8 to /64, for the same.',
    }),
    dns: Type.Array(Type.String(), {
      default: [],
      description:
        'Name servers for functions: address, address:port or [address]:port. None: those of /etc/resolv.conf.',
    }),
    connectionsMax: Type.Integer({
      minimum: 1,
      maximum: 65_535,
      default: 512,
      description: 'Connections that one container may have at the same time.',
    }),
    bytesPerSecond: Type.Integer({
      minimum: 10_000,
      maximum: 4_000_000_000,
      default: 50_000_000,
      description: 'What one container may send, and what it may receive, bytes a second.',
    }),
  },
  { additionalProperties: false, description: 'Outbound network of functions.' },
);

export type EgressOptions = Static<typeof egressOptionsSchema>;

export const egressDefaults: EgressOptions = Create(egressOptionsSchema);

/** The addresses of hob's name server. The first one is also where containers send what leaves them. */
export const [dnsAddress4, dnsAddress6] = NAME_SERVERS;
/** Link-local addresses: whoever forwards IPv6 finds its neighbours by one. The one that is nearer to the outside is first. */
export const outerAddress6 = 'fe80::1';
export const innerAddress6 = 'fe80::2';
