#pragma once

// HttpEncoding: whether an answer is to be compressed, and what its head says
// then (RFC 9110, 8.4, 12.5.3 and 12.5.5). Pure functions.

#include "brigade/Protocol/HttpRequest.h"
#include "brigade/Protocol/HttpResponse.h"

namespace brigade {

// All Accept-Encoding fields together; without one: no.
bool acceptsGzip(const HttpRequest& request);

// By its head: text of some kind, that is not encoded yet. Not one of a status
// that has no body, or part of one (206); not text/event-stream, of which each
// event has to be seen at once by whatever is between; and not what says
// Cache-Control: no-transform.
bool isCompressible(const HttpResponse& response);

// Vary: Accept-Encoding, also of one that was not compressed in the end.
void addVary(HttpResponse& head);
// Content-Encoding: gzip; an ETag becomes a weak one: those bytes are others
// (8.8.1).
void addEncoding(HttpResponse& head);

}  // namespace brigade
