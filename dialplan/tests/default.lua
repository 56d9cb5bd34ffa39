-- Tests of the default dialplan, and an example: `tandem dialplan test DIRECTORY` runs them.

test("accounts call each other", function()
  local r = call { from = "201", to = "202", accounts = { "201", "202" }, assume = { ["202"] = "answered:30" } }
  expect(r, { answered_by = "202", talk = 30, cause = "normal", dialled = { "account:202" } })
end)

test("what is no account is an unknown number", function()
  local r = call { from = "201", to = "203", accounts = { "201", "202" } }
  expect(r, { cause = "unknown-number", status = 404 })
  expect(#r.dialled, 0)
end)

test("what is no account may be a group, and beside an account others may ring", function()
  expect(call { from = "201", to = "sales", accounts = { "201" } }, { verbs = { 'group "sales"' }, dialled = {} })
  expect(call { from = "201", to = "202" }, { verbs = { 'followme "202"' }, dialled = { "account:202" } })
end)

test("it rings for a minute", function()
  expect(call { from = "201", to = "202", assume = { ["202"] = "no-answer" } }, { cause = "no-answer", seconds = 60 })
end)

test("*43 is the echo test", function()
  expect(call { from = "201", to = "*43" }, { status = 200, extension = "*43", ended_by = "caller" })
end)

test("*3 and a number is a conference", function()
  expect(call { from = "201", to = "*3200" }, { status = 200, extension = "*3200", ended_by = "caller" })
  expect(call { from = "201", to = "*32x" }, { cause = "unknown-number" })
end)

-- Codes. Verbs of modules do nothing here; what they are asked for is what counts.
local accounts = { "201", "202" }

local function asks(dialled, ...)
  local r = call { from = "201", to = dialled, accounts = accounts }
  expect(r.verbs, { ... })
  expect(#r.verbs, select("#", ...))
  expect(r, { extension = dialled, dialled = {} })
  expect(r.error, nil)
end

test("*21, *67, *61 and *62 forward, and # or no number switches it off", function()
  asks("*21*0301234567", 'forward {"to":"0301234567","when":"always"}')
  asks("*67*202", 'forward {"to":"202","when":"busy"}')
  asks("*61*202", 'forward {"to":"202","when":"no-answer"}')
  asks("*62*202", 'forward {"to":"202","when":"unreachable"}')
  asks("*21", 'forward {"when":"always"}')
  asks("#67", 'forward {"when":"busy"}')
  asks("#61", 'forward {"when":"no-answer"}')
  asks("*62", 'forward {"when":"unreachable"}')
end)

test("*26, *47 and *68 change what reaches the caller", function()
  asks("*26", "do_not_disturb")
  asks("*47", "call_waiting")
  asks("*68", "block_last")
end)

test("*8 picks up, *7 parks, *4 lets a phone answer by itself", function()
  asks("*8", "pickup")
  asks("*8202", 'pickup "202"')
  asks("*7", "park")
  asks("*71", "park 1")
  asks("*7701", "park 701")
  asks("*4202", 'intercom "202"')
  expect(call { from = "201", to = "*70", accounts = accounts }, { cause = "unknown-number" })
end)

test("*66, *69 and *0 dial what is kept", function()
  asks("*66", "redial")
  asks("*69", "return_call")
  asks("*07", 'speed_dial {"slot":7}')
  asks("*012", 'speed_dial {"slot":12}')
  asks("*07*0301234567", 'speed_dial {"number":"0301234567","slot":7}')
  asks("*012*", 'speed_dial {"number":"","slot":12}')
end)

test("*55 wakes up, *37 calls back", function()
  asks("*55*0730", 'wakeup {"at":"0730"}')
  asks("*55*7") -- that is no time
  asks("*55", "wakeup")
  asks("*37202", 'call_back {"to":"202"}')
  asks("*37", "call_back")
end)

test("*31 and a number calls it without showing one's own", function()
  expect(call { from = "201", to = "*31202", accounts = accounts },
    { verbs = { "hide_number", 'followme "202"' }, dialled = { "account:202" }, extension = "202", answered_by = "202" })
end)

test("rooms may begin with 1 and 7, too", function()
  for _, room in ipairs { "1", "10", "112", "700" } do
    expect(call { from = "201", to = "*3" .. room, accounts = accounts }, { status = 200, ended_by = "caller", verbs = {} })
  end
  expect(call { from = "201", to = "*3112", accounts = { "201", "12" } }, { dialled = { "account:12" } })
end)

test("a wake-up call says the time", function()
  expect(call { from = "201", to = "wake-up", context = "switch" }, { status = 200, seconds = 40 })
  expect(call { from = "201", to = "wake-up" , accounts = accounts }, { cause = "unknown-number" })
end)
