-- Logs one line when the server is up, so that whoever started it need not guess; or why it could serve nobody.

module:set_global();

local modulemanager = require "core.modulemanager";
local portmanager = require "core.portmanager";

local function fault()
	local services = portmanager.get_active_services();
	if not (services:get("http") or services:get("https")) then return "no port is open"; end
	for host, session in pairs(prosody.hosts) do
		if session.type == "local" then
			for _, name in ipairs { "auth_jwt_cookie", "websocket", "websocket_resume", "call_router" } do
				if not modulemanager.is_loaded(host, name) then return ("%s has no module %s"):format(host, name); end
			end
		end
	end
end

module:hook("server-started", function ()
	local reason = fault();
	if not reason then
		module:log("info", "Ready");
		return;
	end
	module:log("error", "Not ready: %s", reason);
end);
