-- For scripts on a user's settings, `epoch` being that of the hash. Settings are never unloaded: in a line that has
-- lost nothing, what is not in Redis was never set.
-- Returns whether history has to be asked first.
local function mustLoad(epoch, line, complete)
  if epoch == line then return false end
  return epoch or complete ~= '1'
end
