-- @include inbox-unreceived
-- Decides whether a user has to be notified. One answer `due` in a window, however many ask: it puts the next look off by a window.
--
-- KEYS[1] slot of the shard   KEYS[2] user   KEYS[3] inbox   KEYS[4] gaps   KEYS[5] devices   KEYS[6] waiting
-- ARGV[1] user   ARGV[2] ms after which what was not received is due   ARGV[3] window (ms)
-- Replies: {closed} (the slot is not open) | {later} (nothing is due yet) | {received} (all of it) |
--   {notified} (of all of it, before) | {due, newest position that was not received}
-- After `received` and `notified` nobody looks again until something new comes. Who is told `due` writes the position into the
-- user's field `notified` once the notification is certain to come; until then it is due again a window later.
-- Safe to repeat.
local user, waiting, name = KEYS[2], KEYS[6], ARGV[1]
if redis.call('HEXISTS', KEYS[1], 'epoch') == 0 then return {'closed'} end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function stop(word)
  redis.call('HDEL', user, 'waiting')
  redis.call('ZREM', waiting, name)
  return {word}
end

local function lookAgain(at)
  redis.call('HSET', user, 'waiting', at)
  redis.call('ZADD', waiting, at, name)
end

local due = redis.call('ZSCORE', waiting, name)
if not due then
  redis.call('HDEL', user, 'waiting')
  return {'received'}
end
if tonumber(due) > now then return {'later'} end
local oldest, at, newest = unreceived(name, KEYS[3], KEYS[4], KEYS[5])
if not oldest then return stop('received') end
if redis.call('HGET', user, 'notified') == string.format('%.0f', newest) then return stop('notified') end
if at and at + ARGV[2] > now then
  lookAgain(at + ARGV[2])
  return {'later'}
end
lookAgain(now + ARGV[3])
return {'due', string.format('%.0f', newest)}
