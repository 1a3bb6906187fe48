-- Raises the format number of the deployment, so that versions which do not read it refuse to start.
--
-- KEYS
--   1  deployment
-- ARGV
--   1  epoch
--   2  format number
-- Replies: 1 if the number was raised, 0 if Redis is of another epoch or has this number or a higher one
local epoch, formats = unpack(redis.call('HMGET', KEYS[1], 'epoch', 'formats'))
if epoch ~= ARGV[1] or tonumber(formats or 0) >= tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], 'formats', ARGV[2])
return 1
