import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  checkFunctionConfig,
  formatEgressRule,
  formatIpAddress,
  ipAddressReach,
  ipNetworkEnds,
  ipNetworkHolds,
  ipReach,
  networkClass,
  parseEgressRule,
  parseFunctionConfig,
  parseIpAddress,
  parseIpNetwork,
} from '../src/index.ts';

const bytes4 = fc.uint8Array({ minLength: 4, maxLength: 4 });
const bytes16 = fc.uint8Array({ minLength: 16, maxLength: 16 });

function addressOf(text: string): Uint8Array {
  return parseIpAddress(text) ?? assert.fail(`no address: ${text}`);
}

test('formatIpAddress and parseIpAddress undo each other', () => {
  fc.assert(
    fc.property(fc.oneof(bytes4, bytes16), (bytes) => {
      assert.deepEqual(parseIpAddress(formatIpAddress(bytes)), Uint8Array.from(bytes));
    }),
  );
});

test('formatIpAddress writes IPv6 in its canonical form', () => {
  for (const [text, canonical] of [
    ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['::', '::'],
    ['1::', '1::'],
    ['::ffff:10.0.0.1', '::ffff:a00:1'],
    ['0:0:0:0:0:0:0:1', '::1'],
  ] as const) {
    assert.equal(formatIpAddress(addressOf(text)), canonical);
  }
});

test('parseIpAddress refuses whatever another reader might take for something else', () => {
  const texts = ['', '1', '1.2.3', '1.2.3.4.5', '01.2.3.4', '1.2.3.256', '0x7f.0.0.1', '1.2.3.4 ', ' ::1', '1.2.3.-4'];
  const more = [
    '::1::',
    ':::',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '12345::',
    'g::',
    'fe80::1%eth0',
    '::1.2.3',
    '1::2:3:4:5:6:7:8',
  ];
  for (const text of [...texts, ...more]) assert.equal(parseIpAddress(text), undefined, text);
  for (const text of ['1.2.3.4/33', '1.2.3.4/-1', '1.2.3.4/01', '::/129', '::/', '1.2.3.4/8/8']) {
    assert.equal(parseIpNetwork(text), undefined, text);
  }
});

test('ipNetworkHolds agrees with the first and last address of a network', () => {
  const network = (bytes: fc.Arbitrary<Uint8Array>, bits: number) =>
    fc.record({ address: bytes, prefixBits: fc.integer({ min: 0, max: bits }) });
  fc.assert(
    fc.property(
      fc.oneof(
        fc.tuple(network(bytes4, 32), network(bytes4, 32)),
        fc.tuple(network(bytes16, 128), network(bytes16, 128)),
      ),
      ([outer, inner]) => {
        const [a, b] = [ipNetworkEnds(outer), ipNetworkEnds(inner)];
        const isInside = Buffer.compare(a.first, b.first) <= 0 && Buffer.compare(a.last, b.last) >= 0;
        assert.equal(ipNetworkHolds(outer, inner), isInside);
        assert.equal(ipNetworkHolds(outer, { ...inner, address: outer.address }), outer.prefixBits <= inner.prefixBits);
      },
    ),
  );
});

test('ipReach knows private networks, and those that nothing may reach', () => {
  const never = [
    '127.0.0.1',
    '0.0.0.0',
    '169.254.169.254',
    '224.0.0.1',
    '255.255.255.255',
    '100.100.100.200',
    '168.63.129.16',
  ];
  const never6 = [
    '::',
    '::1',
    '::ffff:8.8.8.8',
    '64:ff9b::808:808',
    '2002:808:808::1',
    'fe80::1',
    'ff02::1',
    'fd00:ec2::254',
  ];
  for (const text of [...never, ...never6]) assert.equal(ipAddressReach(addressOf(text)), 'never', text);
  for (const text of ['10.0.0.1', '172.31.255.255', '192.168.0.1', '100.64.0.1', 'fc00::1', 'fdff::1']) {
    assert.equal(ipAddressReach(addressOf(text)), 'private', text);
  }
  for (const text of ['8.8.8.8', '172.32.0.1', '100.128.0.1', '2606:4700::1', '2a00::1']) {
    assert.equal(ipAddressReach(addressOf(text)), 'public', text);
  }
  const everything = parseIpNetwork('0.0.0.0/0') ?? assert.fail();
  assert.equal(ipReach(everything), 'public');
});

test('parseEgressRule reads every form, and formatEgressRule writes it in one', () => {
  const forms = {
    'api.example.com': 'api.example.com',
    'API.Example.com.:443': 'api.example.com:443',
    '*.example.com': '*.example.com',
    '1.2.3.4': '1.2.3.4',
    '1.2.3.4:80': '1.2.3.4:80',
    '1.2.3.4/32': '1.2.3.4',
    '10.0.0.0/8:5432': '10.0.0.0/8:5432',
    '2606:4700:0::1': '2606:4700::1',
    '[2606:4700::1]': '2606:4700::1',
    '[2606:4700::1]:443': '[2606:4700::1]:443',
    'FD99::/16': 'fd99::/16',
    '[fd99::/16]:5432': '[fd99::/16]:5432',
    '0.0.0.0/0:443': '0.0.0.0/0:443',
  };
  for (const [text, one] of Object.entries(forms)) {
    const reading = parseEgressRule(text);
    assert.ok('rule' in reading, text);
    assert.equal(formatEgressRule(reading.rule), one);
  }
});

const refusals: readonly (readonly [rule: string, problem: RegExp])[] = [
  ['', /must be host/],
  ['*', /must be host/],
  ['a.*.com', /must be host/],
  ['http://a.example', /must be host/],
  ['a..example', /must be host/],
  ['-a.example', /must be host/],
  ['bücher.example', /must be host/],
  ['a.example:https', /must be host/],
  ['[1.2.3.4]:80', /must be host/],
  ['1.2.3', /must be host/],
  ['300.1.1.1', /must be host/],
  ['a.example/24', /must be host/],
  ['a.example:0', /port from 1 to 65535/],
  ['a.example:65536', /port from 1 to 65535/],
  ['10.0.0.1/8', /did you mean 10\.0\.0\.0\/8\?/],
  ['127.0.0.1:80', /never be reached/],
  ['169.254.169.254', /never be reached/],
  ['[fd00:ec2::254]:80', /never be reached/],
  ['::ffff:10.0.0.1', /never be reached/],
  ['64:ff9b::/96', /never be reached/],
  ['x'.repeat(64), /must be host/],
];

for (const [rule, problem] of refusals) {
  test(`egress refuses ${JSON.stringify(rule.slice(0, 30))}, and says what is accepted`, () => {
    const reading = parseEgressRule(rule);
    assert.ok('problem' in reading);
    assert.match(reading.problem, problem);
  });
}

test('parseEgressRule never throws, and what it accepts it accepts again in its one form', () => {
  const part = fc.constantFrom('a', '*', '.', ':', '/', '[', ']', '1', '10', '255', 'fd', 'example', '-', '%', ' ');
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(part, { maxLength: 14 }).map((parts) => parts.join('')),
      ),
      (text) => {
        const reading = parseEgressRule(text);
        if ('problem' in reading) return;
        const again = parseEgressRule(formatEgressRule(reading.rule));
        assert.ok('rule' in again);
        assert.deepEqual(again.rule, reading.rule);
      },
    ),
  );
});

test('a hob.json says what it may reach; nothing is the default, and places of mistakes are told', () => {
  const read = (egress: unknown): unknown => checkFunctionConfig({ name: 'a', egress }).egress;
  assert.equal(read(undefined), 'none');
  assert.equal(read('public'), 'public');
  assert.deepEqual(read(['A.example:443', 'a.example:443', '10.0.0.0/8']), ['a.example:443', '10.0.0.0/8']);
  const text = '{\n  "name": "a",\n  "egress": ["a.example", "169.254.169.254", "b:"]\n}';
  assert.throws(() => parseFunctionConfig(text, 'hob.json'), {
    code: 'ERR_CONFIG_INVALID',
    message: /^hob\.json:3:27 egress\[1\]: can never be reached.*\nhob\.json:3:46 egress\[2\]: must be host/s,
  });
  for (const [egress, problem] of [
    ['internet', 'egress: must be "none" or "public" or a list of at most 64 strings'],
    [7, 'egress: must be "none" or "public" or a list of at most 64 strings'],
    [
      Array.from({ length: 65 }, () => 'a.example'),
      'egress: must be "none" or "public" or a list of at most 64 strings',
    ],
    [['a.example', 5], 'egress[1]: must be a string of 1 to 300 characters, not 5'],
    [[''], 'egress[0]: must be a string of 1 to 300 characters'],
  ] as const) {
    assert.throws(() => read(egress), { code: 'ERR_CONFIG_INVALID', message: problem });
  }
});

test('networkClass asks for a network only when something is open', () => {
  assert.equal(networkClass('none'), 'none');
  assert.equal(networkClass([]), 'none');
  assert.equal(networkClass('public'), 'egress');
  assert.equal(networkClass(['a.example']), 'egress');
});
