export type { BundleFs, IncomingFile } from './bundle-folder.ts';
export { DiskBundleStore } from './disk-bundle-store.ts';
export { prepareRedis } from './prepare-redis.ts';
export { RedisLogStore, type RedisLogStoreOptions } from './redis-log-store.ts';
export { endLeftovers } from './redis-process.ts';
export { RedisServer, type RedisServerOptions } from './redis-server.ts';
export { Registry, type RegistryOptions } from './registry.ts';
export { SECRET_KEY_BYTES } from './secret-cipher.ts';
export { SecretStore, type SecretStoreOptions } from './secret-store.ts';
