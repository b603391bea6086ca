// What has to happen in one step, in Lua. No other command runs meanwhile.

/**
 * KEYS: counters, functions, versions. ARGV: name, stored version, a number that was given already. Gives the number of the new
 * version.
 */
export const DEPLOY = `
if tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or 0) < tonumber(ARGV[3]) then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
end
local version = redis.call('HINCRBY', KEYS[1], ARGV[1], 1)
redis.call('HSET', KEYS[3], version, ARGV[2])
redis.call('HSETNX', KEYS[2], ARGV[1], 0)
return version`;

/** KEYS: functions, versions, aliases, logs. ARGV: name. Gives 0 when there was no such function. */
export const REMOVE = `
local found = redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('DEL', KEYS[2], KEYS[3], KEYS[4])
return found`;

/**
 * KEYS: functions, versions, aliases. ARGV: name, alias, what the alias must be now or '', what it is to be or '' to remove
 * it, numbers of the versions that must exist. Gives 'done', or what was not as it must be.
 */
export const SET_ALIAS = `
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return 'function' end
if (redis.call('HGET', KEYS[3], ARGV[2]) or '') ~= ARGV[3] then return 'changed' end
for i = 5, #ARGV do
  if redis.call('HEXISTS', KEYS[2], ARGV[i]) == 0 then return ARGV[i] end
end
if ARGV[4] == '' then redis.call('HDEL', KEYS[3], ARGV[2]) else redis.call('HSET', KEYS[3], ARGV[2], ARGV[4]) end
return 'done'`;

/**
 * KEYS: versions, aliases. ARGV: how many of the last versions stay, numbers of others that stay. Removes those before them
 * that no alias names, nor would after a rollback. Gives their numbers.
 */
export const PRUNE = `
local named = {}
local function keep(weights)
  for _, each in ipairs(weights or {}) do named[each.version] = true end
end
for i = 2, #ARGV do named[tonumber(ARGV[i])] = true end
for _, json in ipairs(redis.call('HVALS', KEYS[2])) do
  local alias = cjson.decode(json)
  keep(alias.weights)
  keep(alias.previous[#alias.previous])
end
local numbers = {}
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do table.insert(numbers, tonumber(field)) end
table.sort(numbers)
local pruned = {}
for i = 1, #numbers - tonumber(ARGV[1]) do
  if not named[numbers[i]] then
    redis.call('HDEL', KEYS[1], numbers[i])
    table.insert(pruned, numbers[i])
  end
end
return pruned`;
