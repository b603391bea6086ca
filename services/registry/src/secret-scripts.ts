// What has to happen to secrets in one step, in Lua. The check is encrypted with the key of all of them, and changes with it.

/** KEYS: check, secrets. ARGV: the check as it must be, field, stored secret. Gives 0 when the check is another one. */
export const SET_SECRET = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
return 1`;

/**
 * KEYS: check, id of the key, secrets. ARGV: the check and the stored secrets as they must be now, each with what it is to be; the check with
 * the id of its new key behind it, the secrets with their fields in front. Gives 0 when something is not as it must be, and has done nothing.
 */
export const RESEAL = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if redis.call('HLEN', KEYS[3]) ~= (#ARGV - 3) / 3 then return 0 end
for i = 4, #ARGV, 3 do
  if redis.call('HGET', KEYS[3], ARGV[i]) ~= ARGV[i + 1] then return 0 end
end
for i = 4, #ARGV, 3 do redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 2]) end
redis.call('SET', KEYS[1], ARGV[2])
redis.call('SET', KEYS[2], ARGV[3])
return 1`;
