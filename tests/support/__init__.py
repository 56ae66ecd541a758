"""What tests share: raw HTTP over real sockets, servers, process helpers."""
