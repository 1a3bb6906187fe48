-- For scripts that write a user's keys. A user whose keys are of an earlier epoch, or of none after a loss, starts
-- above every position that may have been given. Its devices and routes are forgotten; inbox entries stay.
local function enterEpoch(slotState, user, devices, jump)
  if redis.call('HGET', user, 'epoch') == slotState.epoch then return end
  local head = tonumber(redis.call('HGET', user, 'head') or 0)
  if slotState.complete ~= '1' then
    head = math.max(head + jump, slotState.generation * jump)
    redis.call('DEL', devices)
  end
  redis.call('HSET', user, 'epoch', slotState.epoch, 'head', string.format('%.0f', head))
  redis.call('HDEL', user, 'routes')
end
