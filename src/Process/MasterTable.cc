#include "brigade/Process/MasterTable.h"

#include <algorithm>

#include "brigade/Process/detail/StateTable.h"

namespace brigade {

using detail::Op;

MasterTable::Answer MasterTable::get(std::string_view key) {
  return ask(Op::kTableGet, key, {}, {});
}

MasterTable::Answer MasterTable::set(std::string_view key,
                                     std::string_view value,
                                     const Terms& terms) {
  return ask(Op::kTableSet, key, value, terms);
}

MasterTable::Answer MasterTable::erase(std::string_view key,
                                       const Terms& terms) {
  return ask(Op::kTableErase, key, {}, terms);
}

void MasterTable::deliver(const detail::Envelope& mail) {
  answered_ = std::max(answered_, mail.correlation);
}

MasterTable::Answer MasterTable::ask(Op op, std::string_view key,
                                     std::string_view value,
                                     const Terms& terms) {
  detail::checkEntry(key, value);
  if (answered_ != asked_ && Clock::now() < retry_) return {};
  const std::string data = detail::encodeWish(terms, value);
  const std::uint64_t question = asked_ + 1;
  const Channel::Result sent = post_.post(
      {.op = op, .correlation = question, .name = key, .data = data});
  if (sent != Channel::Result::kSent && sent != Channel::Result::kQueued) {
    return {};
  }
  asked_ = question;
  Answer answer;
  const auto isAnswer = [&](const Frame& frame) {
    if (frame.kind != FrameKind::kMail || frame.correlation != question) {
      return false;
    }
    const auto mail = detail::decode(frame);
    if (!mail || mail->op != Op::kTableAnswer) return false;
    const auto news = detail::decodeNews(mail->data);
    if (!news) return false;
    answer = {static_cast<Outcome>(mail->code), news->version,
              std::string(news->value)};
    answered_ = question;
    return true;
  };
  if (!channel_.await(kPatience, isAnswer)) retry_ = Clock::now() + kPause;
  return answer;
}

}  // namespace brigade
