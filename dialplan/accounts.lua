-- Calling accounts.

-- Rings the phones of one account for `timeout` seconds (60 when left out), and whatever else was set up to ring with it
-- (follow-me, of a module). Returns what call:dial returns; a name that is no account ends the call as "unknown number".
function dial_account(call, name, timeout)
  if not pbx.account(name) then
    call:hangup("unknown-number")
  end
  return pbx.has_verb("followme") and call:followme(name) or call:dial { to = "account:" .. name, timeout = timeout or 60 }
end
