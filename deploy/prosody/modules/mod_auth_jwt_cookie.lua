-- Authentication by the JWT of the `auth_token` cookie; runs on a VirtualHost with its own mod_websocket.
--
-- The gate answers the WebSocket handshake: 403 for an Origin that is not on the list, 401 without a valid token, else it
-- marks the request with the user's name. SASL EXTERNAL trusts that mark and nothing else, so a request that somehow went
-- around the gate can never log in. RFC 7519 (claims), RFC 4422 appendix A (EXTERNAL), RFC 6455 section 10.2 (Origin).

local http_server = require "net.http.server";
local jid = require "util.jid";
local jwt = require "util.jwt";
local nodeprep = require "util.encodings".stringprep.nodeprep;

local os_time = os.time;

local cookie_name = module:get_option_string("auth_token_cookie", "auth_token");
local secret_file = module:get_option_string("auth_token_secret_file");
local issuer = module:get_option_string("auth_token_issuer");
local audience = module:get_option_string("auth_token_audience");
local leeway = module:get_option_number("auth_token_leeway", 5); -- seconds, for iat and nbf; exp gets none
local origins = module:get_option_set("auth_token_origins", {});

local min_secret, max_token = 32, 4096; -- bytes; RFC 7518 section 3.2 asks for 32

local function read_secret()
	assert(secret_file, "auth_token_secret_file is not set");
	local file = assert(io.open(secret_file));
	local secret = file:read("a"):gsub("%s+$", "");
	file:close();
	assert(#secret >= min_secret, "the secret of auth_token_secret_file is shorter than 32 bytes");
	return secret;
end

local secret = read_secret();

-- The one value of a cookie, or nil and why. Two cookies of that name are an attack or a mistake: neither is used.
local function cookie_value(header, name)
	local found;
	for pair in (header or ""):gmatch("[^;]+") do
		local key, value = pair:match("^%s*([^=%s]+)%s*=%s*(.-)%s*$");
		if key == name then
			if found then return nil, "two cookies"; end
			found = value;
		end
	end
	if not found or found == "" then return nil, "no cookie"; end
	return found;
end

local function contains(claim, wanted)
	if type(claim) ~= "table" then return claim == wanted; end
	for _, value in ipairs(claim) do
		if value == wanted then return true; end
	end
	return false;
end

-- The node of `sub`: a plain user name or a bare JID of this host.
local function user_of(sub)
	if type(sub) ~= "string" or sub == "" or sub:find("/", 1, true) then return nil; end
	if sub:find("@", 1, true) then
		local node, host = jid.prepped_split(sub);
		return host == module.host and node or nil;
	end
	local node = nodeprep(sub, true);
	return node ~= "" and node or nil;
end

-- The user a token speaks for, or nil and why not. Never raises: what cannot be read is refused.
local function verify(token)
	if #token > max_token then return nil, "token too long"; end
	local called, ok, claims = pcall(jwt.verify, secret, token);
	if not called then return nil, "unreadable"; end
	if not ok then return nil, claims; end
	if type(claims) ~= "table" then return nil, "claims are no object"; end
	local now = os_time();
	if math.type(claims.exp) == nil then return nil, "no exp"; end
	if claims.exp <= now then return nil, "expired"; end
	if math.type(claims.iat) == nil then return nil, "no iat"; end
	if claims.iat > now + leeway then return nil, "iat in the future"; end
	if claims.nbf ~= nil and (math.type(claims.nbf) == nil or claims.nbf > now + leeway) then
		return nil, "not valid yet";
	end
	if issuer and claims.iss ~= issuer then return nil, "wrong iss"; end
	if audience and not contains(claims.aud, audience) then return nil, "wrong aud"; end
	if not audience and claims.aud ~= nil then return nil, "unexpected aud"; end
	local user = user_of(claims.sub);
	if not user then return nil, "wrong sub"; end
	return user;
end

-- Before mod_websocket's own handler. Returning nil lets the request go on to it.
local function gate(event)
	local request, response = event.request, event.response;
	local headers = request.headers;
	if headers.origin and not origins:contains(headers.origin) then
		module:log("info", "Handshake from %s refused: 403, origin not on the list", request.ip);
		return 403;
	end
	local user, reason;
	local token, missing = cookie_value(headers.cookie, cookie_name);
	if token then user, reason = verify(token); else reason = missing; end
	if not user then
		module:log("info", "Handshake from %s refused: 401, %s", request.ip, reason);
		response.headers.www_authenticate = ("Cookie realm=%q, cookie-name=%q"):format(module.host, cookie_name);
		return 401;
	end
	request.jwt_cookie_user = user;
end

local http_host = module:get_option_string("http_host", module.host);
local path = module:get_option("http_paths", {}).websocket or "/xmpp-websocket";
for _, suffix in ipairs { "", "/" } do
	module:hook_object_event(http_server, ("GET %s%s%s"):format(http_host, path, suffix), gate, 100);
end

-- SASL: EXTERNAL alone, in the shape mod_saslauth asks for.
local external = {};
external.__index = external;

local function new_external(user)
	return setmetatable({ user = user }, external);
end

function external:mechanisms()
	return self.user and { EXTERNAL = true } or {};
end

function external:select(mechanism)
	self.selected = self.user and mechanism == "EXTERNAL";
	return self.selected;
end

function external:clean_clone()
	return new_external(self.user);
end

-- No initial response is answered by an empty challenge; an authzid must be one's own bare JID.
function external:process(authzid)
	if authzid == nil and not self.challenged then
		self.challenged = true;
		return "challenge", "";
	end
	if authzid ~= nil and authzid ~= "" and jid.prep(authzid) ~= jid.join(self.user, module.host) then
		return "failure", "not-authorized", "The authorization identity is not yours";
	end
	self.username = self.user;
	return "success";
end

local provider = {};

function provider.get_sasl_handler(session)
	local request = session.websocket_request;
	return new_external(request and request.jwt_cookie_user);
end

-- Whoever the API signs a token for exists; there is no list of accounts here.
function provider.user_exists()
	return true;
end

module:provides("auth", provider);
