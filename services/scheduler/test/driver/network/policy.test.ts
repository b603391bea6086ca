import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatIpNetwork, type IpNetwork, ipNetworkEnds, parseIpAddress } from '@hob/contracts';
import * as fc from 'fast-check';
import { AddressPlan } from '../../../src/driver/network/address-plan.ts';
import { CompiledPolicy } from '../../../src/driver/network/compiled-policy.ts';
import { egressDefaults } from '../../../src/driver/network/egress-options.ts';
import { networkElement } from '../../../src/driver/network/filter-element.ts';
import { findNft } from '../../../src/driver/network/nft.ts';
import { routerRuleset } from '../../../src/driver/network/ruleset.ts';

function addressOf(text: string): Uint8Array {
  return parseIpAddress(text) ?? assert.fail(`no address: ${text}`);
}

/** What a policy opens, in words. */
function openings(rules: readonly string[]): string[] {
  return new CompiledPolicy([...rules]).networks
    .map(({ set, network, ports }) => `${set} ${formatIpNetwork(network)} ${ports.first}-${ports.last}`)
    .toSorted();
}

test('CompiledPolicy sorts networks by whether they lie in a private one', () => {
  assert.deepEqual(openings(['8.8.8.8:53', '10.1.0.0/16', '0.0.0.0/0:443', 'fd00:1::/32', '[2606::/16]:80']), [
    'inner 10.1.0.0/16 0-65535',
    'inner fd00:1::/32 0-65535',
    'listed 0.0.0.0/0 443-443',
    'listed 2606::/16 80-80',
    'listed 8.8.8.8/32 53-53',
  ]);
});

test('CompiledPolicy leaves no two openings with a common part, as the kernel refuses those', () => {
  assert.deepEqual(openings(['10.0.0.0/8:443', '10.1.0.0/16', '10.1.2.0/24:443', '10.1.2.3:80', '10.2.0.0/16:443']), [
    'inner 10.0.0.0/8 443-443',
    'inner 10.1.0.0/16 0-442',
    'inner 10.1.0.0/16 444-65535',
  ]);
  assert.deepEqual(openings(['8.8.8.8', '8.8.8.8:53', '8.8.0.0/16:65535', '8.0.0.0/8:1']), [
    'listed 8.0.0.0/8 1-1',
    'listed 8.8.0.0/16 65535-65535',
    'listed 8.8.8.8/32 0-0',
    'listed 8.8.8.8/32 2-65534',
  ]);
});

const ruleText = fc
  .record({
    first: fc.constantFrom(10, 8),
    second: fc.integer({ min: 0, max: 3 }),
    bits: fc.constantFrom(7, 8, 15, 16, 24, 32),
    port: fc.constantFrom(undefined, 1, 80, 81, 65_535),
  })
  .map(({ first, second, bits, port }) => {
    const network: IpNetwork = { address: Uint8Array.of(first, second, 0, 0), prefixBits: bits };
    const lowest = { address: ipNetworkEnds(network).first, prefixBits: bits };
    return `${formatIpNetwork(lowest)}${port === undefined ? '' : `:${port}`}`;
  });

test('CompiledPolicy opens exactly what its rules say, each address and port once', () => {
  const target = fc.record({
    address: fc.tuple(
      fc.constantFrom(8, 10, 11),
      fc.integer({ min: 0, max: 3 }),
      fc.constantFrom(0, 1),
      fc.constantFrom(0, 1),
    ),
    port: fc.constantFrom(1, 2, 80, 81, 82, 65_534, 65_535),
  });
  fc.assert(
    fc.property(
      fc.array(ruleText, { maxLength: 8 }),
      fc.array(target, { minLength: 20, maxLength: 20 }),
      (rules, targets) => {
        for (const { address, port } of targets) {
          const bytes = Uint8Array.from(address);
          const covers = (policy: CompiledPolicy): number =>
            policy.networks.filter(({ network, ports }) => {
              const { first, last } = ipNetworkEnds(network);
              const isInside = Buffer.compare(first, bytes) <= 0 && Buffer.compare(bytes, last) <= 0;
              return isInside && ports.first <= port && port <= ports.last;
            }).length;
          // Each rule alone says what is meant; sets differ, so that an address may be open by one of each.
          const bySet = (set: string): boolean =>
            rules.some(
              (rule) => new CompiledPolicy([rule]).networks[0]?.set === set && covers(new CompiledPolicy([rule])) > 0,
            );
          assert.equal(covers(new CompiledPolicy(rules)), Number(bySet('inner')) + Number(bySet('listed')));
        }
      },
    ),
  );
});

test('CompiledPolicy answers for names: exact ones, those below a wildcard, their ports', () => {
  const policy = new CompiledPolicy(['a.example:443', 'a.example:8443', '*.b.example']);
  for (const name of ['a.example', 'x.b.example', 'y.x.b.example']) assert.ok(policy.allowsName(name), name);
  for (const name of ['b.example', 'xb.example', 'example', 'a.example.evil', 'xa.example', '']) {
    assert.ok(!policy.allowsName(name), name);
  }
  assert.deepEqual(policy.portsOfName('a.example'), [443, 8443]);
  assert.equal(policy.portsOfName('x.b.example'), 'any');
  assert.ok(new CompiledPolicy('public').allowsName('anything.example'));
  assert.ok(!new CompiledPolicy('none').allowsName('anything.example'));
});

test('CompiledPolicy lets an answer have public addresses, and private ones that a rule opens', () => {
  const policy = new CompiledPolicy(['a.example', '10.1.0.0/16:5432', '0.0.0.0/0']);
  for (const text of ['8.8.8.8', '10.1.2.3', '2606::1']) assert.ok(policy.allowsAnswer(addressOf(text)), text);
  for (const text of ['10.2.0.1', '127.0.0.1', '169.254.169.254', '::ffff:8.8.8.8', 'fd00::1', '64:ff9b::1']) {
    assert.ok(!policy.allowsAnswer(addressOf(text)), text);
  }
});

test('networkElement has a range’s two ends in network order', () => {
  const [network] = new CompiledPolicy(['10.1.0.0/16:443']).networks;
  assert.ok(network);
  const { set, element } = networkElement(2, network);
  assert.equal(set, 'inner4');
  assert.equal(Buffer.from(element.key).toString('hex'), '000200000a01000001bb0000');
  assert.equal(Buffer.from(element.keyEnd ?? []).toString('hex'), '000200000a01ffff01bb0000');
});

test('AddressPlan gives every container of every hob addresses of its own', () => {
  const plan = new AddressPlan(egressDefaults);
  assert.equal(plan.shares, 16);
  const seen = new Set<string>();
  for (let number = 0; number < plan.shares; number++) {
    const share = plan.share(number);
    for (const text of [share.host4, share.router4]) seen.add(addressOf(text).join());
    for (let index = 0; index < share.slots; index++) {
      const { address4, address6 } = plan.slot(share, index);
      seen.add(address4.join());
      seen.add(address6.join());
    }
  }
  assert.equal(seen.size, 16 * (2 + 2 * plan.share(0).slots));
});

test('AddressPlan refuses ranges that it cannot divide', () => {
  for (const [range4, range6] of [
    ['10.0.0.0/21', egressDefaults.range6],
    ['10.0.0.1/16', egressDefaults.range6],
    ['fd00::/16', egressDefaults.range6],
    ['x', egressDefaults.range6],
    [egressDefaults.range4, 'fd00::/65'],
    [egressDefaults.range4, '10.0.0.0/16'],
  ] as const) {
    assert.throws(() => new AddressPlan({ range4, range6 }), { code: 'ERR_CONFIG_INVALID' });
  }
  assert.equal(new AddressPlan({ range4: '10.7.0.0/20', range6: 'fd00:7::/64' }).shares, 1);
});

test('a host without nft is told what to install', () => {
  assert.throws(() => findNft(['/nonexistent']), {
    code: 'ERR_NATIVE_UNSUPPORTED',
    message: /apt-get install nftables/,
  });
});

test('every denial that the packet filter tells of has a reason that hob knows', () => {
  const plan = new AddressPlan(egressDefaults);
  const parts = { options: egressDefaults, share: plan.share(0), hostLink: 'hob0', connectionsTotalMax: 1000 };
  const told = [...routerRuleset(parts).matchAll(/log prefix "([^"]+)"/g)].map(([, prefix]) => prefix);
  assert.deepEqual(
    new Set(told),
    new Set(['not-listed', 'address', 'host', 'neighbour', 'protocol', 'connections', 'spoofed']),
  );
});
