-- The default dialplan: accounts call each other by name. Copy this file to a directory of your own, name that directory
-- in the configuration (`dialplan = …`), and change it there. README.md beside it explains everything used here.

include("accounts.lua") -- from Tandem's library

-- *43: hear yourself. Says at once whether sound works both ways.
extension("internal", "*43", function(call)
  call:echo()
end)

-- *3 and the number of a room: a conference. `tandem room add 100 --pin 1234` asks for a PIN in room 100; rooms that were
-- not set up are open to everybody who can dial this.
extension("internal", "_*3X!", function(call)
  local room = call.extension:sub(3)
  if not room:match("^%d+$") then call:hangup("unknown-number") end
  call:conference { room = room }
end)

-- Any account by its name. The pattern takes everything, so that names may be words as well as numbers; extensions
-- that you add are more specific and come first.
extension("internal", "_.", function(call)
  dial_account(call, call.extension, 60)
end)
