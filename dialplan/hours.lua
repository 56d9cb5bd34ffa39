-- Opening hours.

local days = { sun = 1, mon = 2, tue = 3, wed = 4, thu = 5, fri = 6, sat = 7 }

local function day(name)
  return days[name:lower():sub(1, 3)] or error("hours: \"" .. name .. "\" is not a day", 0)
end

local function minutes(time)
  local hour, minute = time:match("^(%d%d?):(%d%d)$")
  if not hour or tonumber(hour) > 24 or tonumber(minute) > 59 then
    error("hours: \"" .. time .. "\" is not a time", 0)
  end
  return tonumber(hour) * 60 + tonumber(minute)
end

-- Is it now (or at `when`, as from os.time) within one of the rules? In the time zone of the switch.
--   if not is_open { "Mon-Fri 09:00-12:30", "Mon-Thu 13:30-17:00", "Sat 10:00-12:00" } then …
function is_open(rules, when)
  local now = os.date("*t", when)
  local clock = now.hour * 60 + now.min
  for _, rule in ipairs(rules) do
    local first, last, from, to = rule:match("^(%a+)%-?(%a*)%s+([%d:]+)%-([%d:]+)$")
    if not first then
      error("hours: \"" .. rule .. "\" is not like \"Mon-Fri 09:00-17:00\"", 0)
    end
    first = day(first)
    last = last ~= "" and day(last) or first
    local today = first <= last and now.wday >= first and now.wday <= last
      or first > last and (now.wday >= first or now.wday <= last)
    if today and clock >= minutes(from) and clock < minutes(to) then
      return true
    end
  end
  return false
end
