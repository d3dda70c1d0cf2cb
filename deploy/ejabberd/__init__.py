"""ejabberd behind a gateway that knows the cookie, started by `run` or `cluster`."""
