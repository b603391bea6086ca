import type { RedisConnection } from './redis-connection.ts';
import type { RegistryKeys } from './redis-keys.ts';
import { SecretCipher } from './secret-cipher.ts';
import { RESEAL, SET_SECRET } from './secret-scripts.ts';

const CHECK = 'hob';
/** What the check is encrypted for, under whatever key it is stored. */
const CHECK_PLACE = 'hob:secret-check';

/** Where the secrets are. */
export interface SealedPlace {
  readonly connection: RedisConnection;
  readonly keys: RegistryKeys;
}

/** All secrets in Redis as they were at one moment. */
export interface SealedSecrets {
  /** A known text, encrypted with the key of all secrets. */
  readonly check: string;
  /** Of that key; undefined in data of a hob that wrote none. */
  readonly keyId: string | undefined;
  /** Stored secrets, by `<function>/<secret>`. */
  readonly fields: ReadonlyMap<string, string>;
}

/** Whether a key is the one that everything is encrypted with. */
export function isOpenedBy(key: Buffer, { check }: SealedSecrets): boolean {
  try {
    return new SecretCipher(key).open(check, CHECK_PLACE) === CHECK;
  } catch {
    return false;
  }
}

/** The check of a key. Of the same key it is another one each time. */
export function checkOf(cipher: SecretCipher): string {
  return cipher.seal(CHECK, CHECK_PLACE);
}

/** Reads everything. @returns undefined when no key was used yet. @throws ERR_REGISTRY_UNAVAILABLE */
export async function readSealed({ connection, keys }: SealedPlace): Promise<SealedSecrets | undefined> {
  const answers = await connection.run((redis) =>
    redis.multi().get(keys.secretCheck).get(keys.secretKeyId).hgetall(keys.secrets).exec(),
  );
  const [check, keyId, stored] = (answers ?? []).map(([, answer]) => answer) as [
    string | null,
    string | null,
    Record<string, string>,
  ];
  if (check === null) return undefined;
  return { check, keyId: keyId ?? undefined, fields: new Map(Object.entries(stored)) };
}

/** Says in an empty Redis which key is in use, unless another one is by now. @throws ERR_REGISTRY_UNAVAILABLE */
export async function beginSealing(place: SealedPlace, key: Buffer): Promise<SealedSecrets> {
  const { connection, keys } = place;
  const cipher = new SecretCipher(key);
  for (;;) {
    await connection.run((redis) =>
      redis.multi().setnx(keys.secretCheck, checkOf(cipher)).setnx(keys.secretKeyId, cipher.id).exec(),
    );
    const sealed = await readSealed(place);
    if (sealed !== undefined) return sealed;
  }
}

/** Tells the name of the key in use, to whoever comes with another one. @throws ERR_REGISTRY_UNAVAILABLE */
export async function nameKey({ connection, keys }: SealedPlace, cipher: SecretCipher): Promise<void> {
  await connection.run((redis) => redis.set(keys.secretKeyId, cipher.id));
}

/** Stores one secret. @returns false when the key is another one than that of `check` by now. @throws ERR_REGISTRY_UNAVAILABLE */
export async function storeSecret(
  { connection, keys: { secretCheck, secrets } }: SealedPlace,
  check: string,
  [field, stored]: readonly [field: string, stored: string],
): Promise<boolean> {
  const keys = [secretCheck, secrets];
  return (await connection.run((redis) => redis.eval(SET_SECRET, keys.length, ...keys, check, field, stored))) === 1;
}

/**
 * Replaces everything at once.
 *
 * @param after has the fields of `before`.
 * @returns false when Redis does not have `before` any more; then nothing was done.
 * @throws ERR_REGISTRY_UNAVAILABLE, after which all or nothing was done.
 */
export async function replaceSealed(
  { connection, keys: { secretCheck, secretKeyId, secrets } }: SealedPlace,
  before: SealedSecrets,
  after: SealedSecrets & { readonly keyId: string },
): Promise<boolean> {
  const keys = [secretCheck, secretKeyId, secrets];
  const sealed = [...before.fields].flatMap(([field, stored]) => [field, stored, after.fields.get(field) ?? '']);
  const values = [before.check, after.check, after.keyId, ...sealed];
  return (await connection.run((redis) => redis.eval(RESEAL, keys.length, ...keys, ...values))) === 1;
}
