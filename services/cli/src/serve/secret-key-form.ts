import { fail } from '@hob/contracts';
import { SECRET_KEY_BYTES, SecretCipher } from '@hob/registry';
import { type Environment, variable } from '../environment.ts';

const FORMS = `${SECRET_KEY_BYTES} bytes as 64 hexadecimal digits or in base64`;

/**
 * Reads a key in one of its forms.
 *
 * @param source what messages call the place that it is from.
 * @throws ERR_CONFIG_INVALID
 */
export function secretKey(text: string, source: string): Buffer {
  const trimmed = text.trim();
  const key = Buffer.from(trimmed, /^[0-9a-f]{64}$/i.test(trimmed) ? 'hex' : 'base64');
  if (key.byteLength === SECRET_KEY_BYTES && /^[\w+/=-]{43,64}$/.test(trimmed)) return key;
  throw fail('ERR_CONFIG_INVALID', [source, `must be ${FORMS}`]);
}

/** The key in a variable; undefined when that is not set. @throws ERR_CONFIG_INVALID */
export function givenKey(env: Environment, name: string): Buffer | undefined {
  const text = variable(env, name);
  return text === undefined ? undefined : secretKey(text, name);
}

/** Names the key in HOB_SECRET_KEY; undefined when there is none. @throws ERR_CONFIG_INVALID */
export function givenKeyId(env: Environment): string | undefined {
  const key = givenKey(env, 'HOB_SECRET_KEY');
  return key && new SecretCipher(key).id;
}
