-- @include inbox-unreceived
-- @include waiting
-- Decides whether a user has to be notified. One answer `due` in a window, however many ask: it puts the next look off by a window.
--
-- KEYS[1] slot of the shard   KEYS[2] user   KEYS[3] inbox   KEYS[4] gaps   KEYS[5] devices   KEYS[6] waiting   KEYS[7] told
-- ARGV[1] user   ARGV[2] ms after which what was not received is due   ARGV[3] window (ms)
-- Replies: {closed} (the slot is not open) | {later} (nothing is due yet) | {received} (all of it) |
--   {notified} (of all of it, before) | {due, newest position that was not received}
-- After `received` and `notified` nobody looks again until something new comes. Who is told `due` writes the position into the
-- user's field `notified` once the notification is certain to come; until then it is due again a window later.
-- The user's field `waiting` is "<moment of the look> <position>": what stands there came when the user was put down (0: nothing did), so it
-- has waited for long enough, whatever its own time says, which may be that of a clock that was wrong.
-- Safe to repeat.
local user, waiting, told, name = KEYS[2], KEYS[6], KEYS[7], ARGV[1]
local after, window = tonumber(ARGV[2]), tonumber(ARGV[3])
if redis.call('HEXISTS', KEYS[1], 'epoch') == 0 then return {'closed'} end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function stop(word)
  redis.call('HDEL', user, 'waiting')
  redis.call('ZREM', waiting, name)
  redis.call('ZREM', told, name)
  return {word}
end

local function lookAgain(set, moment, position)
  redis.call('ZREM', set == told and waiting or told, name)
  redis.call('HSET', user, 'waiting', string.format('%.0f %.0f', moment, position))
  redis.call('ZADD', set, moment, name)
end

local first, again = tonumber(redis.call('ZSCORE', waiting, name)), tonumber(redis.call('ZSCORE', told, name))
local moment = first or again
if not moment then return stop('received') end
local since = tonumber(string.match(redis.call('HGET', user, 'waiting') or '', ' (%d+)$') or 0)
if moment > now then
  local pauseMs = first and after or window
  if isStray(moment, now, pauseMs) then lookAgain(first and waiting or told, now + pauseMs, since) end
  return {'later'}
end
local oldest, at, newest = unreceived(name, KEYS[3], KEYS[4], KEYS[5])
if not oldest then return stop('received') end
if redis.call('HGET', user, 'notified') == string.format('%.0f', newest) then return stop('notified') end
if at and oldest ~= since and at + after > now then
  lookAgain(waiting, math.min(at, now) + after, oldest)
  return {'later'}
end
lookAgain(told, now + window, 0)
return {'due', string.format('%.0f', newest)}
