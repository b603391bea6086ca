import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Answer, decode, encode } from 'dns-packet';
import * as fc from 'fast-check';
import { CompiledPolicy } from '../../../src/driver/network/compiled-policy.ts';
import { filterAnswers } from '../../../src/driver/network/dns/answer-filter.ts';
import { questionBytes, readQuery, readReply, replyBytes } from '../../../src/driver/network/dns/dns-message.ts';
import { DnsUpstream } from '../../../src/driver/network/dns/dns-upstream.ts';
import { DnsStream, frameMessage } from '../../../src/driver/network/dns/dns-stream.ts';
import { NameServers, parseNameServer, parseResolvConf } from '../../../src/driver/network/dns/name-servers.ts';

function question(name: string, more: object = {}): Buffer {
  return encode({ type: 'query', id: 7, flags: 256, questions: [{ name, type: 'A', class: 'IN' }], ...more });
}

const addressRecord = (name: string, data: string): Answer => ({ type: 'A', class: 'IN', name, ttl: 60, data });
const alias = (name: string, data: string): Answer => ({ type: 'CNAME', class: 'IN', name, ttl: 60, data });

test('readQuery takes one plain question, and nothing else', () => {
  const query = readQuery(question('Web.Example'));
  assert.equal(query?.name, 'web.example');
  assert.equal(query?.asked, 'Web.Example');
  assert.equal(query?.udpBytesMax, 512);
  const two = {
    questions: [
      { name: 'a', type: 'A' },
      { name: 'b', type: 'A' },
    ],
  } as const;
  assert.equal(readQuery(question('a', two)), undefined);
  assert.equal(readQuery(question('a', { questions: [] })), undefined);
  assert.equal(readQuery(question('a', { type: 'response' })), undefined);
  assert.equal(readQuery(question('a', { flags: 5 << 11 })), undefined, 'an update');
  assert.equal(readQuery(question('a', { questions: [{ name: 'a', type: 'A', class: 'CH' }] })), undefined);
});

test('readQuery answers any bytes with a question or nothing, and never takes long', () => {
  const header = fc.tuple(fc.uint8Array({ minLength: 12, maxLength: 12 }), fc.uint8Array({ maxLength: 600 }));
  const damaged = fc
    .tuple(fc.domain(), fc.array(fc.tuple(fc.nat(80), fc.nat(255)), { maxLength: 8 }))
    .map(([name, changes]) => {
      const bytes = question(name, {
        additionals: [{ type: 'OPT', name: '.', udpPayloadSize: 4096, flags: 0, options: [] }],
      });
      for (const [at, value] of changes) bytes[at % bytes.byteLength] = value;
      return bytes;
    });
  const any = fc.oneof(
    fc.uint8Array({ maxLength: 600 }),
    header.map((parts) => Buffer.concat(parts)),
    damaged,
  );
  fc.assert(
    fc.property(any, (bytes) => {
      const query = readQuery(Buffer.from(bytes));
      if (query === undefined) return;
      const policy = new CompiledPolicy('public');
      const reply = replyBytes(
        query,
        { rcode: 0, answers: filterAnswers(query.name, [], policy).answers },
        query.udpBytesMax,
      );
      if (reply !== undefined) assert.ok(reply.byteLength <= query.udpBytesMax);
    }),
    { numRuns: 2000 },
  );
});

test('readReply and filterAnswers take any bytes of a name server, and only addresses of the internet come out', () => {
  const query = readQuery(question('a.example')) ?? assert.fail();
  const policy = new CompiledPolicy('public');
  const whole = encode({
    type: 'response',
    id: 9,
    questions: [{ name: 'a.example', type: 'A', class: 'IN' }],
    answers: [
      alias('a.example', 'b.example'),
      addressRecord('b.example', '8.8.8.8'),
      addressRecord('b.example', '10.0.0.1'),
    ],
  });
  const damaged = fc.array(fc.tuple(fc.nat(whole.byteLength - 1), fc.nat(255)), { maxLength: 6 }).map((changes) => {
    const bytes = Buffer.from(whole);
    for (const [at, value] of changes) bytes[at] = value;
    return bytes;
  });
  fc.assert(
    fc.property(
      fc.oneof(
        damaged,
        fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
      ),
      (bytes) => {
        const reply = readReply(bytes, query, 9);
        if (reply === undefined) return;
        const { answers, addresses } = filterAnswers(query.name, reply.answers, policy);
        assert.ok(addresses.every(({ address }) => policy.allowsAnswer(address)));
        const sent = replyBytes(query, { rcode: reply.rcode, answers }, 1232);
        for (const record of sent === undefined ? [] : (decode(sent).answers ?? [])) {
          if (record.type === 'A') assert.doesNotMatch(record.data, /^(?:10|127|0|224)\./);
        }
      },
    ),
    { numRuns: 3000 },
  );
});

test('readQuery refuses a header that promises more records than the message can hold', () => {
  const bytes = question('a');
  bytes.writeUInt16BE(0xffff, 6);
  assert.equal(readQuery(bytes), undefined);
});

test('DnsUpstream goes on to the next name server when one cannot be connected to, and gives up in the end', async () => {
  const query = readQuery(question('a.example')) ?? assert.fail();
  // Link-local addresses need a zone, and nobody listens at the other one.
  const upstream = new DnsUpstream(new NameServers(['[fe80::1]:53', '127.0.0.1:1']));
  assert.equal(await upstream.ask(query), undefined);
  assert.equal(await new DnsUpstream(new NameServers(['[fe80::1]:53'])).ask(query), undefined);
  upstream.close();
  assert.equal(await upstream.ask(query), undefined);
});

test('readReply takes only the answer to its own question', () => {
  const query = readQuery(question('a.example')) ?? assert.fail();
  const answer = (changes: object): Buffer =>
    encode({
      type: 'response',
      id: 9,
      questions: [{ name: 'a.example', type: 'A', class: 'IN' }],
      answers: [addressRecord('a.example', '8.8.8.8')],
      ...changes,
    });
  assert.equal(readReply(answer({}), query, 9)?.answers.length, 1);
  assert.equal(readReply(answer({}), query, 10), undefined);
  assert.equal(readReply(answer({ type: 'query' }), query, 9), undefined);
  assert.equal(readReply(answer({ questions: [{ name: 'b.example', type: 'A', class: 'IN' }] }), query, 9), undefined);
  assert.equal(
    readReply(answer({ questions: [{ name: 'a.example', type: 'AAAA', class: 'IN' }] }), query, 9),
    undefined,
  );
  assert.equal(decode(questionBytes(query, 5)).id, 5);
});

test('replyBytes says that an answer is cut when it does not fit, and gives the question back as it was asked', () => {
  const query = readQuery(question('Many.Example')) ?? assert.fail();
  const answers = Array.from({ length: 60 }, (_, at) => addressRecord('many.example', `8.8.8.${at}`));
  const cut = decode(replyBytes(query, { rcode: 0, answers }, query.udpBytesMax) ?? assert.fail());
  assert.equal(cut.flag_tc, true);
  assert.equal(cut.answers?.length, 0);
  assert.equal(cut.questions?.[0]?.name, 'Many.Example');
  const whole = decode(replyBytes(query, { rcode: 0, answers }, 65_535) ?? assert.fail());
  assert.equal(whole.answers?.length, 60);
  assert.equal(whole.flag_tc, false);
});

test('filterAnswers follows aliases in any order, and drops what is not of the question', () => {
  const policy = new CompiledPolicy('public');
  const records = [
    addressRecord('c.example', '8.8.8.8'),
    addressRecord('other.example', '9.9.9.9'),
    alias('b.example', 'C.example'),
    alias('a.example', 'b.example'),
    alias('c.example', 'a.example'),
  ];
  const { answers, addresses, refused } = filterAnswers('a.example', records, policy);
  assert.equal(answers.length, 4);
  assert.deepEqual(addresses, [{ address: Uint8Array.of(8, 8, 8, 8), ttlSeconds: 60 }]);
  assert.deepEqual(refused, []);
});

test('DnsStream gives every message once, however the bytes are cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 6 }),
      fc.integer({ min: 1, max: 9 }),
      (messages, cut) => {
        const seen: string[] = [];
        const stream = new DnsStream((bytes) => seen.push(bytes.toString('hex')));
        const bytes = Buffer.concat(messages.map((message) => frameMessage(Buffer.from(message))));
        for (let at = 0; at < bytes.byteLength; at += cut) stream.push(bytes.subarray(at, at + cut));
        assert.deepEqual(
          seen,
          messages.map((message) => Buffer.from(message).toString('hex')),
        );
        assert.equal(stream.pendingBytes, 0);
      },
    ),
  );
});

test('parseNameServer and parseResolvConf read what hosts have', () => {
  assert.deepEqual(parseNameServer('1.2.3.4'), { address: '1.2.3.4', port: 53 });
  assert.deepEqual(parseNameServer('1.2.3.4:5353'), { address: '1.2.3.4', port: 5353 });
  assert.deepEqual(parseNameServer('[fd00::1]:5353'), { address: 'fd00::1', port: 5353 });
  assert.deepEqual(parseNameServer('fd00::1'), { address: 'fd00::1', port: 53 });
  for (const text of ['', 'dns.example', '1.2.3.4:0', '1.2.3.4:70000', '[fd00::1'])
    assert.equal(parseNameServer(text), undefined, text);
  assert.throws(() => new NameServers(['dns.example']), { code: 'ERR_CONFIG_INVALID' });
  const text = '# x\nsearch example\nnameserver 127.0.0.53\nnameserver fe80::1%eth0\nnameserver x\noptions edns0\n';
  assert.deepEqual(parseResolvConf(text), [
    { address: '127.0.0.53', port: 53 },
    { address: 'fe80::1%eth0', port: 53 },
  ]);
});
