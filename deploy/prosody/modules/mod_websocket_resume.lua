-- Mends stream resumption over WebSocket in Prosody 0.12.
--
-- mod_smacks moves the new connection into the old session but leaves the old session's `data` function in place, and with it the
-- old connection's WebSocket state: pings are answered on a dead socket, closing frames are too, and a frame that was cut in half
-- by the lost connection is glued to the first bytes of the new one. After a resumption the new `data` function has to read.

module:hook("smacks-hibernation-end", function (event)
	local fresh, resumed = event.origin, event.resumed;
	if not (fresh and resumed and fresh.websocket_request) or fresh == resumed then return; end
	resumed.data = fresh.data;
	resumed.websocket_request = fresh.websocket_request;
	-- Faults that the new reader finds must end the session that lives on, not the empty shell it came from.
	function fresh.close(_, reason)
		return resumed:close(reason);
	end
end);
