"""HTTP and WebSocket: thin handlers that parse, call a service and return a Struct."""
