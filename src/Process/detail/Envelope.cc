#include "brigade/Process/detail/Envelope.h"

#include <algorithm>
#include <cstring>

#include "brigade/Events/Archive.h"

namespace brigade::detail {
namespace {

struct Header {
  Op op;
  std::uint8_t code;
  std::uint16_t nameSize;
  std::uint32_t targets;
  Place from;
  std::uint64_t size;
};
static_assert(sizeof(Header) == 24);
static_assert(sizeof(Place) == 8);

}  // namespace

void Place::carry(Archive& archive) { archive(index, generation); }

std::size_t targetCount(const Envelope& mail) {
  return mail.targets.size() / sizeof(Place);
}

Place targetOf(const Envelope& mail, std::size_t i) {
  Place place;
  std::memcpy(&place, mail.targets.data() + i * sizeof place, sizeof place);
  return place;
}

std::string_view asTargets(const std::vector<Place>& places) {
  return {reinterpret_cast<const char*>(places.data()),
          places.size() * sizeof(Place)};
}

bool fitsFrame(const Envelope& mail) {
  return sizeof(Header) + mail.targets.size() + mail.name.size() +
             mail.data.size() <=
         Channel::kMaxPayload;
}

void encode(const Envelope& mail, std::string& out) {
  const Header header{mail.op,
                      mail.code,
                      static_cast<std::uint16_t>(mail.name.size()),
                      static_cast<std::uint32_t>(targetCount(mail)),
                      mail.from,
                      mail.size};
  out.append(reinterpret_cast<const char*>(&header), sizeof header);
  out += mail.targets;
  out += mail.name;
  out += mail.data;
}

std::optional<Envelope> decode(const Frame& frame) {
  std::string_view rest = frame.payload;
  Header header;
  if (rest.size() < sizeof header) return std::nullopt;
  std::memcpy(&header, rest.data(), sizeof header);
  rest.remove_prefix(sizeof header);
  const std::size_t targets = std::size_t{header.targets} * sizeof(Place);
  if (targets > rest.size() || header.nameSize > rest.size() - targets ||
      header.nameSize > kMaxName) {
    return std::nullopt;
  }
  Envelope mail{.op = header.op, .code = header.code, .from = header.from};
  mail.correlation = frame.correlation;
  mail.targets = rest.substr(0, targets);
  mail.name = rest.substr(targets, header.nameSize);
  mail.data = rest.substr(targets + header.nameSize);
  mail.descriptor = frame.descriptor;
  mail.size = frame.descriptor < 0 ? 0 : header.size;
  return mail;
}

std::size_t chargeOf(const Envelope& mail) {
  return kOverhead + mail.name.size() +
         std::max<std::size_t>(
             mail.data.size(),
             std::min<std::uint64_t>(mail.size, Channel::kMaxPayload));
}

}  // namespace brigade::detail
