#include "brigade/Connection/TcpConnection.h"

#include <sys/socket.h>

#include <memory>
#include <stdexcept>

#include "brigade/Connection/ConnectionTable.h"
#include "brigade/Connection/detail/SendQueue.h"

namespace brigade {

void TcpConnection::pipe(TcpConnection& to) {
  if (to.piped_ && table_.find(to.extras_->pipeFrom) != nullptr &&
      to.extras_->pipeFrom != id_) {
    throw std::logic_error("this connection is the target of another pipe");
  }
  for (TcpConnection* end : {this, &to}) {
    if (!end->extras_) end->extras_ = std::make_unique<Extras>();
    end->piped_ = true;
  }
  extras_->pipeTo = to.id_;
  to.extras_->pipeFrom = id_;
  if (to.full_) pauseRecv();
}

void TcpConnection::relay(const Message& message) {
  TcpConnection* to = table_.find(extras_->pipeTo);
  if (to == nullptr) {
    // Only a target: its own messages are the program's.
    if (extras_->pipeTo == ConnectionId{})
      table_.handler_.onMessage(*this, message);
    return;
  }
  to->send(message);
  if (to->full_) pauseRecv();
}

// Of two connections piped into each other, one may end while the other still
// answers. True: the connection stays for that.
bool TcpConnection::relayEnd() {
  TcpConnection* to = table_.find(extras_->pipeTo);
  if (to == nullptr || to->extras_->pipeTo != id_ || to->ended_) return false;
  to->endOutput();
  return true;
}

void TcpConnection::endOutput() {
  outputEnds_ = true;
  if (!queue_) ::shutdown(socket_.get(), SHUT_WR);
}

void TcpConnection::closePipe() {
  if (!piped_) return;
  for (const ConnectionId other : {extras_->pipeTo, extras_->pipeFrom}) {
    if (TcpConnection* connection = table_.find(other)) connection->close();
  }
}

}  // namespace brigade
