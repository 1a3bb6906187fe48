-- @include slot-open
-- Reads a page of the members of a group, in rising order of their ids.
--
-- The members of a large group are in a sorted set while somebody pages. This script builds that set in parts, one part
-- per call. Each call goes on where the previous one ended, whoever made it. So a group is scanned once for all
-- readers, and no call blocks Redis for long.
--
-- KEYS
--   1  slot of the partition
--   2  conversation
--   3  members
--   4  listed (sorted set)
-- ARGV
--   1  the asking user, which must be a member ('' = a service)
--   2  only ids above this one
--   3  maximum members of a page
--   4  groups of at most this size need no set
--   5  approximate number of fields in a part
--   6  how long the set stays from now (ms)
-- Replies:
--   {closed} | {load}
--   {not_found}              also if the user is not a current member
--   {direct, user, user}
--   {making}                 the set is not complete: ask again
--   {all, user, spans, …}    current and former members, in no order
--   {page, user, joined, …}
--
-- Must hold: change-member.lua updates members and set in one step, as this script reads and writes in one step. A scan
-- returns every field that exists throughout it. So when the scan has ended, the set holds the members of this version.
-- Safe to repeat.
local slot, conversation, members, listed = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local user, after, most, stayMs = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[6])

local state = redis.call('HMGET', slot, 'line', 'complete', 'open')
local line = state[1]
if not isOpen(state[3]) then return {'closed'} end
local found = redis.call('HMGET', conversation, 'epoch', 'version', 'users', 'listed')
if found[1] ~= line then return {(found[1] or state[2] ~= '1') and 'load' or 'not_found'} end
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
-- The set holds an empty id from the start, so it exists until it expires even without members.
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

-- Not with every page, because each is a write to the append-only file. pcall: if Redis takes no writes, reading still
-- works.
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
