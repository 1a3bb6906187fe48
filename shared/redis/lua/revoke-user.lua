-- @include slot-open
-- Revokes a user: from now on tokens issued before a moment are refused, and nothing is pushed to the user.
--
-- KEYS
--   1  slot of the shard
--   2  revoked
--   3  user
-- ARGV
--   1  the moment (seconds since 1970)
-- Replies: closed, or the user's previous routes ("<gateway> <session> <device>;…"); their gateways have to close them
-- One step with the check of attach-device.lua: either a hello comes before, and its route is in the reply, or the
-- hello is refused.
-- Safe to repeat: the moment only moves forward.
if not isOpen(redis.call('HGET', KEYS[1], 'open')) then return 'closed' end
local before = tonumber(redis.call('GET', KEYS[2]) or 0)
redis.call('SET', KEYS[2], string.format('%.0f', math.max(before, tonumber(ARGV[1]))))
local routes = redis.call('HGET', KEYS[3], 'routes') or ''
redis.call('HDEL', KEYS[3], 'routes')
return routes
