-- Changes what is kept of a conversation itself: the name of a group, and for how many days history keeps its messages.
--
-- KEYS[1] slot of the partition   KEYS[2] messages   KEYS[3] conversation   KEYS[4] members
-- ARGV[1] conversation   ARGV[2] who does it   ARGV[3] service (0|1)   ARGV[4] whether the name changes (0|1)   ARGV[5] name ('' = none)
-- ARGV[6] whether the days change (0|1)   ARGV[7] historyDays ('' = none of its own)   ARGV[8] the entry's rest (JSON)
-- Replies: closed | load | not_found | forbidden | changed
-- Safe to repeat: the same again makes another entry with a higher version and the same effect.
local slot, messages, conversation, members = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local id, actor, service, naming, name, dating, days, rest = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8]

local state = redis.call('HMGET', slot, 'epoch', 'complete')
local epoch = state[1]
if not epoch then return 'closed' end
local found = redis.call('HMGET', conversation, 'epoch', 'kind', 'users', 'version')
if found[1] ~= epoch then return (found[1] or state[2] ~= '1') and 'load' or 'not_found' end
local direct = found[2] == 'direct'
if service == '0' then
  if direct then
    local users = ',' .. found[3] .. ','
    if not string.find(users, ',' .. actor .. ',', 1, true) then return 'not_found' end
  else
    local spans = redis.call('HGET', members, actor)
    if not spans or string.sub(spans, -1) ~= '-' then return 'not_found' end
  end
end
if (direct and naming == '1') or (service == '0' and dating == '1') then return 'forbidden' end
local version = found[4] + 1
redis.call('HSET', conversation, 'version', version)
if naming == '1' then redis.call('HSET', conversation, 'name', name) end
if dating == '1' then
  if days == '' then redis.call('HDEL', conversation, 'historyDays') else redis.call('HSET', conversation, 'historyDays', days) end
end
redis.call('XADD', messages, '*', 'r', '1 renamed ' .. id .. ' ' .. version, 't', rest)
redis.call('HINCRBY', slot, 'appended', 1)
return 'changed'
