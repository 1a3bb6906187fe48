-- @include slot-open
-- Restores a user's settings from history if Redis cannot vouch for them. Of each key the higher version holds. The
-- version of all goes on above every one that may have been given and lost, so no version means two things, and whoever
-- knows a lost one learns the present settings.
--
-- KEYS
--   1  slot of the partition of the user's id
--   2  settings
-- ARGV
--   1  jump after a loss
--   2  epoch that the caller knew before it read history
--   3… three per key in history: key, version, value as JSON (`null` = removed)
-- Replies:
--   closed | present | installed
--   outdated    another epoch has begun since the caller read history: more may be stored. Nothing was done
-- Safe to repeat and to race: only the first call in a line installs.
local settings = KEYS[2]
local state = redis.call('HMGET', KEYS[1], 'line', 'generation', 'open', 'epoch')
if not isOpen(state[3]) then return 'closed' end
if state[4] ~= ARGV[2] then return 'outdated' end
local found = redis.call('HMGET', settings, 'epoch', 'version')
if found[1] == state[1] then return 'present' end
local jump = tonumber(ARGV[1])
local known = tonumber(found[2] or 0)
for i = 3, #ARGV, 3 do
  local key, version, value = ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2]
  local stored = redis.call('HGET', settings, key)
  if version > tonumber(stored and string.match(stored, '^%d+') or 0) then
    if value == 'null' then
      redis.call('HDEL', settings, key)
    else
      redis.call('HSET', settings, key, ARGV[i + 1] .. ' ' .. value)
    end
  end
  known = math.max(known, version)
end
local version = math.max(known + 1, jump * tonumber(state[2] or 0))
redis.call('HSET', settings, 'epoch', state[1], 'version', string.format('%.0f', version))
return 'installed'
