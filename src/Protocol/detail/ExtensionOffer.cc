#include "brigade/Protocol/detail/ExtensionOffer.h"

#include <algorithm>
#include <utility>

namespace brigade::detail {
namespace {

constexpr int kMinWindowBits = 8;
constexpr int kMaxWindowBits = 15;

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

// RFC 9110, 5.6.2.
bool isTokenByte(char c) {
  return isAlphanumeric(c) ||
         (c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) !=
                           std::string_view::npos);
}

bool isBlank(char c) { return c == ' ' || c == '\t'; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && isBlank(text.front())) text.remove_prefix(1);
  while (!text.empty() && isBlank(text.back())) text.remove_suffix(1);
  return text;
}

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  // With blanks around it.
  bool take(char wanted) {
    skipBlanks();
    if (text_.empty() || text_[0] != wanted) return false;
    text_.remove_prefix(1);
    skipBlanks();
    return true;
  }
  // Empty: there is none.
  std::string_view token() {
    const auto end = std::find_if_not(text_.begin(), text_.end(), isTokenByte);
    const auto size = static_cast<std::size_t>(end - text_.begin());
    const std::string_view found = text_.substr(0, size);
    text_.remove_prefix(size);
    return found;
  }
  // A token, or one in quotes (RFC 6455, 9.1); empty: there is none.
  std::string value() {
    if (text_.empty() || text_[0] != '"') return std::string(token());
    text_.remove_prefix(1);
    std::string value;
    while (!text_.empty() && text_[0] != '"') {
      if (text_[0] == '\\') text_.remove_prefix(1);
      if (text_.empty() || !isTokenByte(text_[0])) return {};
      value += text_[0];
      text_.remove_prefix(1);
    }
    if (text_.empty()) return {};
    text_.remove_prefix(1);
    return value;
  }
  void skipBlanks() {
    while (!text_.empty() && isBlank(text_[0])) text_.remove_prefix(1);
  }
  bool atEnd() const { return text_.empty(); }

 private:
  std::string_view text_;
};

bool readParameter(Reader& reader, ExtensionOffer& offer) {
  ExtensionOffer::Parameter parameter;
  parameter.name = reader.token();
  if (parameter.name.empty()) return false;
  if (reader.take('=')) {
    parameter.value = reader.value();
    if (parameter.value->empty()) return false;
  }
  offer.parameters.push_back(std::move(parameter));
  return true;
}

// 8 to 15 without a zero in front (RFC 7692, 7.1.2); 0: something else.
int windowBits(const std::string& value) {
  if (value == "8" || value == "9") return value[0] - '0';
  const bool two = value.size() == 2 && value[0] == '1' && value[1] >= '0' &&
                   value[1] <= '5';
  return two ? 10 + value[1] - '0' : 0;
}

// The parameters of one offer, RFC 7692, 7.1; 0 bits: not offered.
struct Wishes {
  bool serverNoContext = false;
  bool clientNoContext = false;
  int serverBits = 0;
  bool clientBitsKnown = false;
  int clientBits = 0;

  // False: unknown, twice, or with a value it may not have.
  bool add(const ExtensionOffer::Parameter& parameter) {
    const auto& [name, value] = parameter;
    if (name == "server_no_context_takeover") {
      return !value && !std::exchange(serverNoContext, true);
    }
    if (name == "client_no_context_takeover") {
      return !value && !std::exchange(clientNoContext, true);
    }
    if (name == "server_max_window_bits") {
      return value && std::exchange(serverBits, windowBits(*value)) == 0 &&
             serverBits != 0;
    }
    if (name == "client_max_window_bits") {
      clientBits = value ? windowBits(*value) : kMaxWindowBits;
      return !std::exchange(clientBitsKnown, true) && clientBits != 0;
    }
    return false;
  }
};

std::string answerOf(const WebSocketAgreement& agreed, const Wishes& wishes) {
  std::string answer = "permessage-deflate";
  const auto bits = [&](const char* name, int value) {
    answer += "; " + std::string(name) + "=" + std::to_string(value);
  };
  if (agreed.serverContext == WebSocketContext::kNone) {
    answer += "; server_no_context_takeover";
  }
  if (agreed.clientContext == WebSocketContext::kNone) {
    answer += "; client_no_context_takeover";
  }
  if (wishes.serverBits != 0 || agreed.serverWindowBits < kMaxWindowBits) {
    bits("server_max_window_bits", agreed.serverWindowBits);
  }
  if (agreed.clientWindowBits < kMaxWindowBits) {
    bits("client_max_window_bits", agreed.clientWindowBits);
  }
  return answer;
}

int clampBits(int bits) {
  return std::clamp(bits, kMinWindowBits, kMaxWindowBits);
}

}  // namespace

bool isAlphanumeric(char c) {
  return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z');
}

bool sameToken(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

bool listHas(std::string_view list, std::string_view token) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    if (sameToken(trimmed(list.substr(0, comma)), token)) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

bool readTokens(std::string_view list, std::vector<std::string_view>& tokens) {
  Reader reader(list);
  reader.skipBlanks();
  do {
    tokens.push_back(reader.token());
    if (tokens.back().empty()) return false;
  } while (reader.take(','));
  return reader.atEnd();
}

bool readOffers(std::string_view list, std::vector<ExtensionOffer>& offers) {
  Reader reader(list);
  reader.skipBlanks();
  do {
    ExtensionOffer offer;
    offer.name = reader.token();
    if (offer.name.empty()) return false;
    while (reader.take(';')) {
      if (!readParameter(reader, offer)) return false;
    }
    offers.push_back(std::move(offer));
  } while (reader.take(','));
  return reader.atEnd();
}

std::optional<WebSocketAgreement> agree(const ExtensionOffer& offer,
                                        const WebSocketCompression& ours,
                                        std::string& answer) {
  if (offer.name != "permessage-deflate") return std::nullopt;
  Wishes wishes;
  for (const ExtensionOffer::Parameter& parameter : offer.parameters) {
    if (!wishes.add(parameter)) return std::nullopt;
  }
  const int clientBits = clampBits(ours.clientWindowBits);
  // A client that does not name its window cannot make it smaller (7.1.2.2).
  if (clientBits < kMaxWindowBits && !wishes.clientBitsKnown) {
    return std::nullopt;
  }
  WebSocketAgreement agreed;
  agreed.serverWindowBits = clampBits(ours.serverWindowBits);
  if (wishes.serverBits != 0) {
    agreed.serverWindowBits =
        std::min(agreed.serverWindowBits, wishes.serverBits);
  }
  if (wishes.clientBitsKnown) {
    agreed.clientWindowBits = std::min(clientBits, wishes.clientBits);
  }
  agreed.serverContext =
      wishes.serverNoContext ? WebSocketContext::kNone : ours.serverContext;
  agreed.clientContext =
      wishes.clientNoContext ? WebSocketContext::kNone : ours.clientContext;
  answer = answerOf(agreed, wishes);
  return agreed;
}

}  // namespace brigade::detail
