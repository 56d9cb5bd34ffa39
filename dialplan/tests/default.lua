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

test("it rings for a minute", function()
  expect(call { from = "201", to = "202", assume = { ["202"] = "no-answer" } }, { cause = "no-answer", seconds = 60 })
end)

test("*43 is the echo test", function()
  expect(call { from = "201", to = "*43" }, { status = 200, extension = "*43", ended_by = "caller" })
end)

test("*3 and a number is a conference", function()
  expect(call { from = "201", to = "*3100" }, { status = 200, extension = "*3100", ended_by = "caller" })
  expect(call { from = "201", to = "*31x" }, { cause = "unknown-number" })
end)
