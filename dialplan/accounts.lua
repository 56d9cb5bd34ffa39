-- Calling accounts and groups.

-- Is there an account of this name, or a group of this name or number?
function is_dialable(name)
  return pbx.account(name) ~= nil or pbx.group(name) ~= nil
end

-- Rings the phones of one account, and what rings beside them (`tandem followme`), for `timeout` seconds (60 when left
-- out); or a group (`tandem group`) of that name or number. Returns what call:dial returns; a name that is neither ends
-- the call as "unknown number".
function dial_account(call, name, timeout)
  if pbx.account(name) then
    return pbx.has_verb("followme") and call:followme(name)
      or call:dial { to = "account:" .. name, timeout = timeout or 60 }
  end
  return pbx.has_verb("group") and call:group(name) or call:hangup("unknown-number")
end
