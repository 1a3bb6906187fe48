-- Gives a group another name.
--
-- KEYS[1] slot of the partition   KEYS[2] messages   KEYS[3] conversation   KEYS[4] members
-- ARGV[1] conversation   ARGV[2] who does it   ARGV[3] service (0|1)   ARGV[4] name ('' = none)   ARGV[5] the entry's rest (JSON)
-- Replies: closed | load | not_found | forbidden | renamed
-- Safe to repeat: the same name again makes another entry with a higher version and the same effect.
local slot, messages, conversation, members = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local id, actor, service, name, rest = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]

local state = redis.call('HMGET', slot, 'epoch', 'complete')
local epoch = state[1]
if not epoch then return 'closed' end
local found = redis.call('HMGET', conversation, 'epoch', 'kind', 'users', 'version')
if found[1] ~= epoch then return (found[1] or state[2] ~= '1') and 'load' or 'not_found' end
if found[2] == 'direct' then
  local users = ',' .. found[3] .. ','
  if service == '0' and not string.find(users, ',' .. actor .. ',', 1, true) then return 'not_found' end
  return 'forbidden'
end
if service == '0' then
  local spans = redis.call('HGET', members, actor)
  if not spans or string.sub(spans, -1) ~= '-' then return 'not_found' end
end
local version = found[4] + 1
redis.call('HSET', conversation, 'name', name, 'version', version)
redis.call('XADD', messages, '*', 'r', '1 renamed ' .. id .. ' ' .. version, 't', rest)
redis.call('HINCRBY', slot, 'appended', 1)
return 'renamed'
