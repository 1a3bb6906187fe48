-- @include inbox-unreceived
-- @include slot-open
-- @include waiting
-- Decides whether a user has to be notified. Answers `due` once per window however often it is asked: that answer
-- postpones the next look by a window.
--
-- KEYS
--   1  slot of the shard
--   2  user
--   3  inbox
--   4  gaps
--   5  devices
--   6  waiting
--   7  told
-- ARGV
--   1  user
--   2  ms after which unreceived messages are due
--   3  window (ms)
-- Replies:
--   {closed}      the slot is not open
--   {later}       nothing is due yet
--   {received}    everything was received
--   {notified}    the user was notified of everything before
--   {due, newest position that was not received}
-- After `received` and `notified` there is no further look until something new arrives. After `due` the caller writes
-- the position into the user's field `notified`, once the notification is certain to be sent. Until then the user is
-- due again a window later.
--
-- The user's field `waiting` is "<moment of the look> <position>". The entry at that position arrived when the user was
-- added (0 = none did). It has waited long enough, whatever its own time says: that may be the time of a wrong clock.
-- Safe to repeat.
local user, waiting, told, name = KEYS[2], KEYS[6], KEYS[7], ARGV[1]
local after, window = tonumber(ARGV[2]), tonumber(ARGV[3])
if not isOpen(redis.call('HGET', KEYS[1], 'open')) then return {'closed'} end
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
