#pragma once

// ConnectionExtras: what most connections never have: ends of pipes, and the
// program's context. Owned by its TcpConnection, made on first use.

#include <typeinfo>

#include "brigade/Connection/ConnectionId.h"

namespace brigade::detail {

struct ConnectionExtras {
  virtual ~ConnectionExtras() = default;
  // Of the context; void: there is none.
  virtual const std::type_info& type() const { return typeid(void); }
  ConnectionId pipeTo;
  ConnectionId pipeFrom;
};

template <typename T>
struct ConnectionContext final : ConnectionExtras {
  explicit ConnectionContext(const ConnectionExtras& extras)
      : ConnectionExtras(extras) {}
  const std::type_info& type() const override { return typeid(T); }
  T value{};
};

}  // namespace brigade::detail
