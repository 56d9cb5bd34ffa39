-- The default dialplan: accounts call each other by name. Copy this file to a directory of your own, name that directory
-- in the configuration (`dialplan = …`), and change it there. README.md beside it explains everything used here.

include("accounts.lua") -- from Tandem's library
include("features.lua") -- codes that begin with *: conferences, echo test, forwarding, speed dials …

context("internal"):include("features")

-- Any account by its name, and any group. The pattern takes everything, so that names may be words as well as numbers;
-- extensions that you add are more specific and come first.
extension("internal", "_.", function(call)
  local name = call.extension
  if not pbx.account(name) and pbx.has_verb("group") and call:group(name) then return end
  dial_account(call, name, 60)
end)
