-- For scripts that append messages to inboxes; include shard-slots first. What a user has of a conversation, and who
-- waits for a notification.
--
-- A user's field `c:<conversation>` is "<last seq> <read seq> <joined> <at> <position> <m|l> <held>". `held` is the
-- number of its entries in the inbox; fields written by older versions do not have it. An amendment moves the last seq
-- and the position, and not the time.

-- After how many ms the notifications look at a user that is not waiting yet and got something it did not send itself
-- (0 = never). The script sets it.
local notifyAfter = 0

-- Returns epoch, head, count, routes, the field, and whether it waits, which matters only if there are notifications.
local function readUser(userKey, field)
  if notifyAfter > 0 then return call('HMGET', userKey, 'epoch', 'head', 'count', 'routes', field, 'waiting') end
  return call('HMGET', userKey, 'epoch', 'head', 'count', 'routes', field)
end

-- Returns the texts of last seq, read seq, joined, at, position, status and held.
local function readState(stored)
  return string.match(stored, '^(%d+) (%d+) (%d+) (%d+) (%d+) (%a) ?(%d*)$')
end

local function writeUser(userKey, field, head, count, last, read, since, newest, place, status, held)
  call('HSET', userKey, 'head', head, 'count', format('%d', count), field, last .. ' ' .. read .. ' ' .. since .. ' '
    .. newest .. ' ' .. place .. ' ' .. status .. ' ' .. format('%d', held))
end

-- The user has got something at this position, and is not waiting yet.
local function noteArrived(base, userKey, user, position)
  local due = format('%.0f', clock() + notifyAfter)
  call('HSET', userKey, 'waiting', due .. ' ' .. format('%.0f', position))
  call('ZADD', base .. 'waiting', due, user)
end
