-- The default dialplan: accounts call each other by name. Copy this file to a directory of your own, name that directory
-- in the configuration (`dialplan = …`), and change it there. README.md beside it explains everything used here.

include("accounts.lua") -- from Tandem's library
include("features.lua") -- codes that begin with *: conferences, echo test, forwarding, speed dials …

context("internal"):include("features")

-- Any account or group by its name. The pattern takes everything, so that names may be words as well as numbers; extensions
-- that you add are more specific and come first. is_dialable says what is there, for those who ask before they dial.
extension("internal", "_.", function(call)
  dial_account(call, call.extension, 60)
end, is_dialable)
