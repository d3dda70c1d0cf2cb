"""Start commands for real XMPP servers; README.md is the page to read."""
