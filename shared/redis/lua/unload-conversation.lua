-- @include consumer-groups
-- @include groups
-- @include slot-open
-- Unloads a conversation if history has all of it. Its members and fields are removed; a mark stays that holds its last
-- numbers.
--
-- A field is removed only if history holds the same value; fields that are not compared here stay beside the mark. The
-- caller has compared the members after it read history. An equal version means they are unchanged, since each change
-- of them raises it.
--
-- KEYS
--   1  slot of the partition
--   2  messages
--   3  conversation
--   4  members
--   5  listed
--   6  receipts
-- ARGV
--   1  moment (ms): the conversation must not have been loaded since, and both groups must have settled everything
--      before it
--   2  kind
--   3  name
--   4  createdAt (ms)
--   5  service (0|1)
--   6  users ('' = none)
--   7  version
--   8  last seq
--   9  skips ("from-to,…")
--   10 historyDays ('' = none)
--   Arguments 2 to 10 are as in history.
-- Replies:
--   closed
--   gone        it is not loaded in this line
--   used        it was loaded since
--   unsettled
--   differs     history differs from Redis, or lags behind it
--   unloaded
-- Safe to repeat: the second call replies `gone`.
local slot, messages, conversation, members = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local since, kind, name, createdAt = tonumber(ARGV[1]), ARGV[2], ARGV[3], tonumber(ARGV[4])
local service, users = ARGV[5], ARGV[6]
local version, lastSeq, skips = tonumber(ARGV[7]), tonumber(ARGV[8]), ',' .. ARGV[9] .. ','

local state = redis.call('HMGET', slot, 'line', 'open')
if not isOpen(state[2]) then return 'closed' end
local line = state[1]
local found = redis.call('HMGET', conversation, 'epoch', 'seq', 'version', 'kind', 'name', 'createdAt',
  'service', 'users', 'skips', 'loadedAt', 'historyDays')
if found[1] ~= line then return 'gone' end
if tonumber(found[10] or 0) >= since then return 'used' end

if tonumber(found[2]) ~= lastSeq or tonumber(found[3]) ~= version or found[4] ~= kind or (found[5] or '') ~= name
  or tonumber(found[6]) ~= createdAt or found[7] ~= service or (found[8] or '') ~= users
  or (found[11] or '') ~= ARGV[10] then return 'differs' end
for range in string.gmatch(found[9] or '', '[^,]+') do
  if not string.find(skips, ',' .. range .. ',', 1, true) then return 'differs' end
end
local function before(id) return tonumber(string.sub(id, 1, string.find(id, '-', 1, true) - 1)) < since end
local delivered = lastDelivered(messages)
for _, group in ipairs(consumerGroups) do
  if not delivered[group] then return 'unsettled' end
  local pending = redis.call('XPENDING', messages, group)
  if pending[1] > 0 and before(pending[2]) then return 'unsettled' end
  local unread = redis.call('XRANGE', messages, '(' .. delivered[group], '+', 'COUNT', 1)[1]
  if unread and before(unread[1]) then return 'unsettled' end
end

redis.call('HDEL', conversation, 'version', 'kind', 'name', 'createdAt', 'service', 'users', 'count', 'skips',
  'historyDays', 'loadedAt', 'listed')
-- The version is not left as a field: a program that does not know marks must fail here, not take the mark for a
-- conversation.
redis.call('HSET', conversation, 'epoch', 'unloaded:' .. line .. ':' .. string.format('%.0f', version))
redis.call('UNLINK', members, KEYS[5])
-- Direct conversations are many times as often looked at after a long pause as groups are, and hold two users.
if kind == 'group' then redis.call('UNLINK', KEYS[6]) end
return 'unloaded'
