-- @include consumer-groups
-- @include settings-line
-- @include slot-open
-- @include slot-state
-- Changes what a user has set: all of the given keys, in one step. Each that changes gets a version and an entry, by
-- which the archive keeps it.
--
-- KEYS
--   1  slot of the partition of the user's id
--   2  messages
--   3  settings
-- ARGV
--   1  user
--   2  maximum keys
--   3  maximum unsettled entries
--   4… two per key: key, value as JSON ('' = removed)
-- Replies:
--   closed | load | full
--   many             there would be more keys than the maximum
--   same <version>   nothing changes
--   set <version> <stream id of the last entry>
-- Safe to repeat: the second call replies `same`.
local slot, messages, settings = KEYS[1], KEYS[2], KEYS[3]
local user = ARGV[1]
local state, refusal = slotState(slot, (#ARGV - 3) / 2, tonumber(ARGV[3]))
if refusal == 'closed' then return refusal end
local found = redis.call('HMGET', settings, 'epoch', 'version')
if mustLoad(found[1], state[1], state[2]) then return 'load' end
local version = tonumber(found[2] or 0)

local changed, added = {}, 0
for i = 4, #ARGV, 2 do
  local stored = redis.call('HGET', settings, ARGV[i])
  local value = stored and string.match(stored, '^%d+ (.*)$') or ''
  if value ~= ARGV[i + 1] then
    changed[#changed + 1] = i
    added = added + (value == '' and 1 or 0) - (ARGV[i + 1] == '' and 1 or 0)
  end
end
if #changed == 0 then return 'same ' .. string.format('%.0f', version) end
if refusal then return refusal end
if added > 0 and redis.call('HLEN', settings) - (found[1] and 2 or 0) + added > tonumber(ARGV[2]) then return 'many' end

local streamId
for _, i in ipairs(changed) do
  version = version + 1
  local key, value, number = ARGV[i], ARGV[i + 1], string.format('%.0f', version)
  if value == '' then redis.call('HDEL', settings, key)
  else redis.call('HSET', settings, key, number .. ' ' .. value) end
  streamId = redis.call('XADD', messages, '*', 'r', '1 settings ' .. user .. ' ' .. number .. ' ' .. key,
    't', value == '' and 'null' or value)
end
redis.call('HSET', settings, 'epoch', state[1], 'version', string.format('%.0f', version))
redis.call('HINCRBY', slot, 'appended', #changed)
return 'set ' .. string.format('%.0f', version) .. ' ' .. streamId
