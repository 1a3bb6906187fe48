-- For scripts that write a user's keys. A user whose keys are of an earlier line of the slot, or of none after a loss,
-- starts above every position that may have been given. Its devices and routes are forgotten; inbox entries stay.
-- `slotState` holds the slot's fields line, complete and generation.
local function enterLine(slotState, user, devices, jump)
  if redis.call('HGET', user, 'epoch') == slotState.line then return end
  local head = tonumber(redis.call('HGET', user, 'head') or 0)
  if slotState.complete ~= '1' then
    head = math.max(head + jump, slotState.generation * jump)
    redis.call('DEL', devices)
    -- Settings may be of a time before the last change. They are copied again at the next hello.
    redis.call('HDEL', user, 'sv', 'pv')
  end
  redis.call('HSET', user, 'epoch', slotState.line, 'head', string.format('%.0f', head))
  redis.call('HDEL', user, 'routes')
end
