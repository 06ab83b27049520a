#include "brigade/Connection/ConnectionHandler.h"

#include "brigade/Connection/TcpConnection.h"

namespace brigade {

void ConnectionHandler::onEnd(TcpConnection& connection) { connection.close(); }

std::string_view toString(ErrorCode code) {
  switch (code) {
    case ErrorCode::kProtocol:
      return "protocol error";
    case ErrorCode::kPackageTooLong:
      return "package too long";
    case ErrorCode::kIdleTimeout:
      return "idle time-out";
    case ErrorCode::kPackageTimeout:
      return "package time-out";
    case ErrorCode::kSendFailed:
      return "send failed";
    case ErrorCode::kSendTimeout:
      return "send time-out";
    case ErrorCode::kException:
      return "exception";
  }
  return "unknown";
}

}  // namespace brigade
