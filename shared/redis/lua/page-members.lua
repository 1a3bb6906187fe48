-- A page of the members of a group, in rising order of their ids. Of a large group they stand in a sorted set for it, as long as somebody
-- pages: this makes the set in parts, a part a call, from wherever the call before, by whomever, has come to. So a group is read once, however
-- many ask, and nobody is kept waiting by it.
--
-- KEYS[1] slot of the partition   KEYS[2] conversation   KEYS[3] members   KEYS[4] listed (sorted set)
-- ARGV[1] who asks, a member ('' = a service)   ARGV[2] only ids above it   ARGV[3] most   ARGV[4] groups of so many need no set
-- ARGV[5] about so many fields in a part   ARGV[6] how long the set stays from now (ms)
-- Replies: {closed} | {load} | {not_found} (also for who is not a member now) | {direct, user, user} |
--   {making} (ask again) | {all, user, spans, …} (of everybody who is or was a member, in no order) | {page, user, joined, …}
--
-- Must hold: what is scanned and what is changed meanwhile is written in the same step as it is read (change-member.lua), and a scan gives
-- every field that is there all the time; so when the scan has ended, the set is the members of this version. Safe to repeat.
local slot, conversation, members, listed = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local user, after, most, stayMs = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[6])

local state = redis.call('HMGET', slot, 'epoch', 'complete')
local epoch = state[1]
if not epoch then return {'closed'} end
local found = redis.call('HMGET', conversation, 'epoch', 'version', 'users', 'listed')
if found[1] ~= epoch then return {(found[1] or state[2] ~= '1') and 'load' or 'not_found'} end
if found[3] then
  local one, other = string.match(found[3], '^([^,]*),([^,]*)$')
  if user ~= '' and user ~= one and user ~= other then return {'not_found'} end
  return {'direct', one, other}
end

local function joinedOf(spans) return spans and string.match(spans, '(%d+)%-$') end
if user ~= '' and not joinedOf(redis.call('HGET', members, user)) then return {'not_found'} end
if redis.call('HLEN', members) <= tonumber(ARGV[4]) then
  local all = redis.call('HGETALL', members)
  table.insert(all, 1, 'all')
  return all
end

local at, stand = string.match(found[4] or '', '^(%d+) (.+)$')
-- The set holds an empty id from its making on: so it is there until it expires, also without members.
if at ~= found[2] or not redis.call('ZSCORE', listed, '') then
  redis.call('UNLINK', listed)
  redis.call('ZADD', listed, 0, '')
  stand = '0'
end
if stand ~= 'made' then
  local part = redis.call('HSCAN', members, stand, 'COUNT', ARGV[5])
  local scanned, adding = part[2], {}
  for i = 1, #scanned, 2 do
    if string.byte(scanned[i + 1], -1) == 45 then
      adding[#adding + 1] = 0
      adding[#adding + 1] = scanned[i]
    end
    if #adding >= 2000 or (i + 1 >= #scanned and #adding > 0) then
      redis.call('ZADD', listed, unpack(adding))
      adding = {}
    end
  end
  redis.call('PEXPIRE', listed, stayMs)
  redis.call('HSET', conversation, 'listed', found[2] .. ' ' .. (part[1] == '0' and 'made' or part[1]))
  return {'making'}
end

-- Not with every page: each one is a write for the append-only file. Where Redis takes no writes now it still reads.
if redis.call('PTTL', listed) < stayMs * 0.9 then redis.pcall('PEXPIRE', listed, stayMs) end
local users = redis.call('ZRANGEBYLEX', listed, '(' .. after, '+', 'LIMIT', 0, most)
local page = {'page'}
if #users > 0 then
  local spans = redis.call('HMGET', members, unpack(users))
  for i, one in ipairs(users) do
    page[#page + 1] = one
    page[#page + 1] = joinedOf(spans[i]) or '0'
  end
end
return page
