-- What the end-to-end scenarios dial beside the shipped dialplan; appended to a copy of it.

-- 88 and an account: rings for two seconds only.
extension("internal", "_88.", function(call)
  call:dial{ to = call.extension:sub(3), timeout = 2 }
end)

-- 77, an account, * and another account: one after the other, a second each.
extension("internal", "_77.", function(call)
  local first, second = call.extension:match("^77(%d+)%*(%d+)$")
  call:dial{ to = { first, second }, in_order = true, timeout = 1 }
end)
