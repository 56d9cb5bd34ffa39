-- Feature codes: what a caller switches on and off, or asks for, by dialling * and digits. They stand in the context
-- "features"; a context that includes it has them. README.md says how to change and remove them.

local codes = context("features")

-- Says prompts; where none are installed, a tone tells whether it went well.
local function say(call, well, ...)
  if call:play({ ... }).missing > 0 then
    call:tone(well and "record" or "congestion", 1)
  end
end

-- Does a verb that a module brings. Without that module, callers hear so.
local function feature(call, verb, argument)
  if pbx.has_verb(verb) then return call[verb](call, argument) end
  call:log("%s is not available: no module serves call:%s", call.extension, verb)
  say(call, false, "call/not-allowed")
  call:hangup()
end

-- For codes that do one thing: the function that does it.
local function does(verb, argument)
  return function(call) feature(call, verb, argument) end
end

-- For codes with a number behind them, which begins at the character `from`: the function that calls fn with it.
local function number_from(from, fn)
  return function(call) fn(call, call.extension:sub(from)) end
end

-- *21*NUMBER: calls are forwarded always; *21 or #21: no more. The same with 67: when busy, 61: when nobody answers,
-- 62: when no phone can be reached.
for digits, when in pairs { ["21"] = "always", ["67"] = "busy", ["61"] = "no-answer", ["62"] = "unreachable" } do
  codes:extension("_*" .. digits .. "*.", number_from(5, function(call, number)
    feature(call, "forward", { when = when, to = number })
  end))
  codes:extension("*" .. digits, does("forward", { when = when }))
  codes:extension("#" .. digits, does("forward", { when = when }))
end

-- *26: do not disturb; *47: call waiting. On and off in turn.
codes:extension("*26", does "do_not_disturb")
codes:extension("*47", does "call_waiting")

-- *68: who called last does not get through any more.
codes:extension("*68", does "block_last")

-- *8: takes a call that rings for one's group; *8EXTENSION: one that rings there.
codes:extension("*8", does "pickup")
codes:extension("_*8.", number_from(3, function(call, extension) feature(call, "pickup", extension) end))

-- *7: parks whom one talks to in a free slot; *7SLOT (1 to 999): in that one, or fetches who is there.
codes:extension("*7", does "park")
local park = number_from(3, function(call, slot) feature(call, "park", tonumber(slot)) end)
codes:extension("_*7Z", park)
codes:extension("_*7ZX", park)
codes:extension("_*7ZXX", park)

-- *4EXTENSION: its phone answers by itself. *43: hear yourself. Says at once whether sound works both ways.
codes:extension("_*4.", number_from(3, function(call, extension)
  if not feature(call, "intercom", extension) then call:hangup("unknown-number") end
end))
codes:extension("*43", function(call) call:echo() end)

-- *66: dials the last number again. *69: calls who called last.
codes:extension("*66", function(call)
  feature(call, "redial") -- goes on there, if there is a number
  say(call, false, "call/cannot-complete")
end)
codes:extension("*69", function(call)
  if feature(call, "return_call") == "anonymous" then
    say(call, false, "feature/last-caller", "feature/unknown-caller")
  else
    say(call, false, "call/cannot-complete")
  end
end)

-- *0N: speed dial N, 0 to 99. *0N*NUMBER sets it, *0N* removes it.
local function speed_dial(call)
  local slot, star, number = call.extension:match("^%*0(%d%d?)(%*?)(.*)$")
  if not slot or (star == "" and number ~= "") then call:hangup("unknown-number") end
  local done = feature(call, "speed_dial", { slot = tonumber(slot), number = star == "*" and number or nil })
  if done == "set" then
    call:say { digits = slot }
    call:play "feature/is-set-to"
    call:say { spell = number }
    say(call, true, "feature/enabled")
  elseif done == "removed" then
    say(call, true, "feature/disabled")
  else
    say(call, false, done == "empty" and "call/not-in-service" or "call/cannot-complete")
  end
end
codes:extension("_*0X", speed_dial)
codes:extension("_*0XX", speed_dial)
codes:extension("_*0X*!", speed_dial)
codes:extension("_*0XX*!", speed_dial)

-- *55*HHMM: a wake-up call, the next time that clocks show that. *55: none any more.
local function wakeup(call, time)
  local wrong = time and not time:match("^%d%d%d%d$")
  local done = not wrong and feature(call, "wakeup", time and { at = time })
  if done == "set" then
    call:say { time = time:sub(1, 2) .. ":" .. time:sub(3) }
    say(call, true, "feature/enabled")
  elseif done == "off" or done == "none" then
    say(call, true, "feature/disabled")
  else
    say(call, false, "ivr/not-understood")
  end
end
codes:extension("_*55*.", number_from(5, wakeup))
codes:extension("*55", function(call) wakeup(call) end)

-- What the wake-up call says. Nobody can dial this: no context includes it.
extension("switch", "wake-up", function(call)
  for _ = 1, 20 do
    if call:play({ "signal/beep", "time/now" }).missing > 0 then call:tone("ringback", 4) end
    call:say { time = os.date("%H:%M") }
    call:play "signal/beep"
    call:sleep(2)
  end
end)

-- *37EXTENSION: calls back when that one is free. *37: no more.
local function call_back(call, extension)
  local done = feature(call, "call_back", extension and { to = extension })
  if done == "set" or done == "off" or done == "none" then
    say(call, true, done == "set" and "feature/enabled" or "feature/disabled")
  else
    say(call, false, done == "too-many" and "call/limit-reached" or "ivr/invalid-extension")
  end
end
codes:extension("*37", function(call) call_back(call) end)

-- *3ROOM: a conference. `tandem room add 200 --pin 1234` asks for a PIN in room 200; rooms that were not set up are open to
-- everybody who can dial this.
local function conference(call, room)
  if not room:match("^%d+$") then call:hangup("unknown-number") end
  call:conference { room = room }
end
codes:extension("_*3X!", number_from(3, conference))

-- *31NUMBER: calls without showing one's own number. *31 and *37 are also the beginnings of rooms: with one or two digits
-- behind them that are no account, a room (of up to three digits) is meant.
local function unless_room(call, number, fn)
  if #number <= 2 and not pbx.account(number) then return conference(call, call.extension:sub(3)) end
  fn(call, number)
end
codes:extension("_*31.", number_from(4, function(call, number)
  unless_room(call, number, function()
    feature(call, "hide_number")
    call:goto_(call.context, number)
  end)
end))
codes:extension("_*37.", number_from(4, function(call, extension) unless_room(call, extension, call_back) end))
