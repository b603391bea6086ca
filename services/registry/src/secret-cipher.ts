import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';

/** Bytes of a key. */
export const SECRET_KEY_BYTES = 32;
const ALGORITHM = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** In front of what is sealed, so that another form can follow. */
const FORM = 'v1:';
const ID_CHARACTERS = 12;

/**
 * Encrypts short texts with AES-256-GCM. What is sealed for one purpose cannot be opened for another, so that nobody who can
 * write to Redis is able to give one function's secret to another one.
 */
export class SecretCipher {
  readonly #key: Buffer;

  /** @param key SECRET_KEY_BYTES of them. */
  constructor(key: Buffer) {
    this.#key = key;
  }

  /** Names the key, in messages and in Redis, and says nothing else about it. */
  get id(): string {
    return createHash('sha256').update('hob secret key').update(this.#key).digest('hex').slice(0, ID_CHARACTERS);
  }

  seal(text: string, purpose: string): string {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.#key, nonce).setAAD(Buffer.from(purpose));
    const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
    return FORM + Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64');
  }

  /** @throws when it was sealed with another key or for another purpose, or was changed. */
  open(sealed: string, purpose: string): string {
    if (!sealed.startsWith(FORM)) throw new Error('it is not in a form that is known');
    const bytes = Buffer.from(sealed.slice(FORM.length), 'base64');
    const decipher = createDecipheriv(ALGORITHM, this.#key, bytes.subarray(0, NONCE_BYTES), {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(Buffer.from(purpose)).setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
    return decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES), undefined, 'utf8') + decipher.final('utf8');
  }
}
