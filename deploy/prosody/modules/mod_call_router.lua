-- Routes a call signal that is addressed to a bare JID: one copy to each available resource, the first result answers.
--
-- RFC 6121 section 8.5.2.1.3 lets the server answer such an IQ on behalf of the user; it does so with what a device said.
-- The answer comes from the bare JID. If every device refuses, the last refusal is the answer. Devices that are not
-- available (no presence, or a negative priority) get nothing; with none left the stock service-unavailable stands.

local id = require "util.id".medium;
local jid_bare = require "util.jid".bare;
local jid_split = require "util.jid".split;
local st = require "util.stanza";

local sessions = prosody.hosts[module.host].sessions;

local xmlns = "urn:xmpp:call:0";
local max_calls = module:get_option_number("call_router_max_pending", 10000);
local patience = module:get_option_number("call_router_timeout", 30); -- seconds

local pending = {}; -- id of a copy -> { call, device }
local pending_calls = 0;

-- The call is over: nothing more is awaited from any device.
local function forget(call)
	for copy in pairs(call.copies) do pending[copy] = nil; end
	call.timer:stop();
	pending_calls = pending_calls - 1;
end

local function reply(call, stanza)
	call.answered = true;
	module:send(stanza);
end

-- Answers the caller with a device's own answer, as if the account had spoken.
local function answer(call, stanza)
	local passed = st.clone(stanza);
	passed.attr.from, passed.attr.to, passed.attr.id = call.account, call.caller, call.id;
	reply(call, passed);
end

local function available(user, except)
	local found = {};
	for _, session in pairs(sessions[user] and sessions[user].sessions or {}) do
		if session ~= except and session.presence and (session.priority or 0) >= 0 then
			found[#found + 1] = session;
		end
	end
	return found;
end

local function fork(event)
	local origin, stanza = event.origin, event.stanza;
	local account = stanza.attr.to or jid_bare(stanza.attr.from);
	local devices = available(jid_split(account), origin);
	if #devices == 0 then return; end
	if pending_calls >= max_calls then
		origin.send(st.error_reply(stanza, "wait", "resource-constraint"));
		return true;
	end
	pending_calls = pending_calls + 1;
	local call = {
		stanza = st.clone(stanza), account = account, caller = stanza.attr.from, id = stanza.attr.id, copies = {}, waiting = #devices,
	};
	call.timer = module:add_timer(patience, function ()
		forget(call);
		if not call.answered then reply(call, st.error_reply(call.stanza, "wait", "remote-server-timeout")); end
	end);
	for _, device in ipairs(devices) do
		local copy = st.clone(stanza);
		copy.attr.id, copy.attr.to = id(), device.full_jid;
		pending[copy.attr.id] = { call = call, device = device.full_jid };
		call.copies[copy.attr.id] = true;
		device.send(copy);
	end
	return true;
end

module:hook("iq-set/bare/" .. xmlns .. ":call", fork);
module:hook("iq-set/self/" .. xmlns .. ":call", fork);

-- Who is about to call an account is told its devices (XEP-0030, section 4), so that those which rang in vain can be told.
module:hook("iq-get/bare/http://jabber.org/protocol/disco#items:query", function (event)
	local origin, stanza = event.origin, event.stanza;
	if stanza.tags[1].attr.node ~= xmlns then return; end
	local reply = st.reply(stanza):tag("query", { xmlns = "http://jabber.org/protocol/disco#items", node = xmlns });
	for _, device in ipairs(available(jid_split(stanza.attr.to), origin)) do
		reply:tag("item", { jid = device.full_jid }):up();
	end
	origin.send(reply);
	return true;
end, 10);

-- One copy is settled: by its answer, or because its device is gone (stanza is then nil). Later answers go nowhere.
local function settle(copy, entry, stanza)
	local call = entry.call;
	pending[copy], call.copies[copy] = nil, nil;
	call.waiting = call.waiting - 1;
	if not call.answered then
		if stanza and (stanza.attr.type == "result" or call.waiting == 0) then
			answer(call, stanza);
		elseif call.waiting == 0 then
			reply(call, st.error_reply(call.stanza, "wait", "recipient-unavailable"));
		end
	end
	if call.waiting == 0 then forget(call); end
end

-- Answers travel to the caller's full JID. Only the device that got a copy may answer it; all are kept from the caller.
module:hook("iq/full", function (event)
	local attr = event.stanza.attr;
	local entry = pending[attr.id];
	if not entry or (attr.type ~= "result" and attr.type ~= "error") then return; end
	if attr.from ~= entry.device or attr.to ~= entry.call.caller then return; end
	settle(attr.id, entry, event.stanza);
	return true;
end, 100);

module:hook("resource-unbind", function (event)
	local gone = event.session.full_jid;
	local copies = {};
	for copy, entry in pairs(pending) do
		if entry.device == gone then copies[copy] = entry; end
	end
	for copy, entry in pairs(copies) do settle(copy, entry); end
end);

-- Announced by the account (to its contacts and itself) and by the server (to everybody).
module:add_feature(xmlns);
module:hook("account-disco-info", function (event)
	event.reply:tag("feature", { var = xmlns }):up();
end);
