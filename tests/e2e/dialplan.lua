-- What the end-to-end scenarios dial beside the shipped dialplan; appended to a copy of it.

-- 88 and an account: rings for two seconds only.
extension("internal", "_88.", function(call)
  call:dial{ to = call.extension:sub(3), timeout = 2 }
end)
