import { type Finding, type Host, ok, warning } from './finding.ts';

/** Flags of the kernel's IPv6 routes: a default one, made from a router's advertisement. */
const RTF_DEFAULT = 0x0001_0000;
const RTF_ADDRCONF = 0x0004_0000;

/** What functions that reach something over the network need; those that do not, need none of it. */
export async function networkChecks(host: Host): Promise<Finding[]> {
  return [...(await packetFilter(host)), forwarding(host), ipv6(host)];
}

async function packetFilter(host: Host): Promise<Finding[]> {
  const nft = host.which('nft');
  const remedy = 'apt-get install nftables: without it, functions with "egress" cannot be called';
  if (nft === undefined) return [warning('egress', 'nft is not installed', remedy)];
  const { done, output } = await host.run(nft, ['list', 'chains']);
  if (!done) return [warning('egress', output, 'use a kernel with nftables (CONFIG_NF_TABLES), and run as root')];
  const dropping = droppingTables(output);
  if (dropping.length === 0) return [ok('egress', nft)];
  const found = `forwarded packets are dropped by ${dropping.join(', ')}`;
  return [
    warning('egress', found, "let through what comes in or goes out by interfaces hob*, as that table's owner does it"),
  ];
}

/** Tables of others that forward nothing unless they are told to: a packet must pass all of them. */
function droppingTables(chains: string): string[] {
  let table = '';
  const found = new Set<string>();
  for (const line of chains.split('\n')) {
    table = /^table (\S+ \S+)/.exec(line)?.[1] ?? table;
    if (/hook forward\b.*policy drop/.test(line)) found.add(table);
  }
  return [...found];
}

function forwarding(host: Host): Finding {
  const isOn = host.read('/proc/sys/net/ipv4/ip_forward')?.trim() === '1';
  return ok(
    'forwarding',
    isOn ? 'on' : 'off; hob turns it on, for its containers only, while functions with "egress" run',
  );
}

function ipv6(host: Host): Finding {
  const id = 'egress-ipv6';
  const setting = host.read('/proc/sys/net/ipv6/conf/all/forwarding')?.trim();
  if (setting === undefined) return ok(id, 'not in this kernel: functions have IPv4');
  if (setting === '1' || !hasAdvertisedRoute(host.read('/proc/net/ipv6_route') ?? '')) return ok(id, 'with IPv4');
  const remedy =
    'sysctl -w net.ipv6.conf.all.accept_ra=2 net.ipv6.conf.default.accept_ra=2 net.ipv6.conf.all.forwarding=1';
  const found = 'functions have IPv4 only: forwarding would end the default route that routers advertise to this host';
  return warning(id, found, remedy);
}

function hasAdvertisedRoute(routes: string): boolean {
  return routes.split('\n').some((line) => {
    const flags = Number.parseInt(line.trim().split(/\s+/)[8] ?? '0', 16);
    return (flags & RTF_DEFAULT) !== 0 && (flags & RTF_ADDRCONF) !== 0;
  });
}
