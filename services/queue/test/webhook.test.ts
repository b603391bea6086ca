import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sendWebhook, signedHeaders, webhookKey } from '../src/webhook.ts';

const isCode = (code: string, about: RegExp) => (error: Error & { code?: string }) => {
  assert.equal(error.code, code);
  assert.match(error.message, about);
  return true;
};

test('signedHeaders gives the example of Standard Webhooks', () => {
  const key = webhookKey('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw');
  const message = { url: '', id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', body: Buffer.from('{"test": 2432232314}') };
  const headers = signedHeaders(message, key, 1_614_265_330_000);
  assert.equal(headers['webhook-signature'], 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
  assert.equal(headers['webhook-timestamp'], '1614265330');
});

test('webhookKey refuses what is no secret', () => {
  for (const secret of ['', 'secret', 'whsec_', 'whsec_c2hvcnQ=', `whsec_${'A'.repeat(100)}`]) {
    assert.throws(() => webhookKey(secret), isCode('ERR_CONFIG_INVALID', /openssl/), secret);
  }
});

test('sendWebhook says why a message could not be delivered', async () => {
  const { signal } = new AbortController();
  const message = { url: 'http://127.0.0.1:1/', id: 'x', body: Buffer.from('{}') };
  await assert.rejects(sendWebhook(message, Buffer.alloc(24), signal), isCode('ERR_WEBHOOK_FAILED', /127\.0\.0\.1:1/));
  await assert.rejects(sendWebhook(message, undefined, signal), isCode('ERR_WEBHOOK_FAILED', /HOB_WEBHOOK_SECRET/));
});
