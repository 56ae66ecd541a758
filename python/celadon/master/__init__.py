"""The master process: it keeps the listening sockets and the workers."""
