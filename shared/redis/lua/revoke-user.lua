-- Revokes a user: from now on tokens issued before a moment are refused, and nothing is pushed to the user.
--
-- KEYS
--   1  revoked
--   2  user
-- ARGV
--   1  the moment (seconds since 1970)
-- Replies: the user's previous routes ("<gateway> <session> <device>;…"); their gateways have to close them
-- One step with the check of attach-device.lua: either a hello comes before, and its route is in the reply, or the
-- hello is refused.
-- Safe to repeat: the moment only moves forward.
local before = tonumber(redis.call('GET', KEYS[1]) or 0)
redis.call('SET', KEYS[1], string.format('%.0f', math.max(before, tonumber(ARGV[1]))))
local routes = redis.call('HGET', KEYS[2], 'routes') or ''
redis.call('HDEL', KEYS[2], 'routes')
return routes
