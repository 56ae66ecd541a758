// What the access log's format names by %({key}e)s, of a request that was served by
// ASGI.
#pragma once

#include "gateway/options.h"
#include "py/ref.h"
#include "server/exchange.h"

namespace celadon::asgi {

// Of what its application put into `scope["state"]` and into the scope, as far as it is
// text, bytes or a number; else what a WSGI application would have there by such a name
// (gunicorn's workers say that of ASGI requests, too). No code of the application's
// runs: the exchange is not to change meanwhile.
void log_scope(server::Exchange& exchange, const gateway::Options& options,
               PyObject* scope) noexcept;

}  // namespace celadon::asgi
