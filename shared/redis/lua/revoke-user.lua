-- From now on tokens of a user that were issued before a moment are refused, and nothing is pushed to it.
--
-- KEYS[1] revoked   KEYS[2] user
-- ARGV[1] the moment, in seconds since 1970
-- Replies: the routes that the user had ("<gateway> <session> <device>;…"): whoever holds one has to close it
-- One step with the check of attach-device: either a hello comes before and its route is answered here, or it is refused.
-- Safe to repeat: the moment only moves forward.
local before = tonumber(redis.call('GET', KEYS[1]) or 0)
redis.call('SET', KEYS[1], string.format('%.0f', math.max(before, tonumber(ARGV[1]))))
local routes = redis.call('HGET', KEYS[2], 'routes') or ''
redis.call('HDEL', KEYS[2], 'routes')
return routes
