-- Included where somebody asks who of the waiting is to be looked at. Moments are Redis' time, which jumps: one that
-- lies further ahead than anybody puts one (`most`, ms) is from before the clock went back, and would come late by the
-- jump.
local slackMs = 1000
local function isStray(moment, now, most) return moment > now + most + slackMs end
