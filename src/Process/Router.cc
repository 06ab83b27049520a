#include "brigade/Process/Router.h"

#include <fcntl.h>

#include <utility>

#include "brigade/Events/Archive.h"

namespace brigade {
namespace {

using Status = Answer::Status;

// Credit is told in lumps: what is not told yet narrows the window by a
// quarter at most.
constexpr std::size_t kLump = Messenger::kWindow / 4;

// The master's own mail before it is carried over execve(2).
constexpr int kLastTurns = 100;

FileDescriptor duplicate(int descriptor) {
  if (descriptor < 0) return {};
  return FileDescriptor(::fcntl(descriptor, F_DUPFD_CLOEXEC, 0));
}

}  // namespace

Router::Router(EventInterface& loop, Mailbox::Hooks hooks)
    : loop_(loop),
      hooks_(std::move(hooks)),
      tasks_(*this),
      leases_([this](const detail::LeaseTable::Asker& asker, bool granted) {
        tell(asker.place, {.op = granted ? Op::kLeaseGranted : Op::kLeaseTaken,
                           .correlation = asker.correlation});
      }),
      mailbox_(loop, *this, Member{}, Roster{}, hooks_),
      state_(
          loop, [this](std::string_view key) { spreadKey(key); },
          hooks_.onException),
      table_(
          loop, [](std::string_view) {}, hooks_.onException) {}

Router::~Router() = default;

// ---- Children

void Router::setWorkers(unsigned workers) {
  workers_ = workers;
  mailbox_.setWorkers(workers);
}

void Router::onForked(const Member& member, Channel& channel) {
  const Place place{member.index, member.generation};
  ports_.insert_or_assign(place, Port{member, place, &channel});
  places_[member.pid] = place;
}

void Router::onReady(pid_t pid) {
  Port* const port = portOf(pid);
  if (port == nullptr || port->ready) return;
  port->ready = true;
  lines_.erase(port->place.index);
  spread(*port, Standing::kReady, "");
  tasks_.workerReady(port->place);
}

void Router::onDraining(pid_t pid) {
  Port* const port = portOf(pid);
  if (port == nullptr || std::exchange(port->draining, true)) return;
  tasks_.workerDraining(port->place);
  if (port->ready) spread(*port, Standing::kDraining, "");
}

void Router::onExit(pid_t pid, std::string_view reason) {
  const auto place = places_.extract(pid);
  if (place.empty()) return;
  const auto node = ports_.extract(place.mapped());
  Port& port = node.mapped();
  for (const Port::Waiting& waiting : port.waiting) {
    credit(waiting.sender, waiting.addressed, waiting.charge);
  }
  for (auto& [other, sender] : ports_) {
    payCredit(sender, port.place);
    sender.incoming.erase(port.place);
    sender.owed.erase(port.place);
  }
  spread(port, Standing::kGone, reason);
  tasks_.workerGone(port.place, reason);
  leases_.gone(port.place);
}

void Router::spread(const Port& port, Standing standing,
                    std::string_view reason, std::uint32_t replaces) {
  const detail::MemberNews news{port.member.group, workers_, replaces};
  std::string data(reinterpret_cast<const char*>(&news), sizeof news);
  data += reason.substr(0, 1024);
  const Envelope mail{
      .op = Op::kMember,
      .code = static_cast<std::uint8_t>(standing),
      .from = port.place,
      .correlation = static_cast<std::uint64_t>(port.member.pid),
      .data = data};
  for (auto& [place, other] : ports_) put(other, mail, {}, 0);
  mailbox_.deliver(mail);
}

Heritage Router::heritage() const {
  Heritage heritage{{}, state_.table()};
  Roster& roster = heritage.roster;
  roster.workers = workers_;
  for (const auto& [place, port] : ports_) {
    if (!port.ready) continue;
    roster.entries.push_back(
        {port.member, port.draining ? Standing::kDraining : Standing::kReady});
  }
  return heritage;
}

// ---- Over execve(2)

void Router::Port::Waiting::carry(Archive& archive) {
  archive(frame, sender, addressed, charge);
}

void Router::Line::carry(Archive& archive) { archive(first, last); }

void Router::Port::carry(Archive& archive) {
  archive(member.index, member.generation, member.pid, member.group, place,
          ready, draining, isReported, waiting, incoming, stale, owed);
}

void Router::settleOwn() {
  // What it hears may have it write again: so much is enough for a moment, and
  // what is beyond is a loop of its own making.
  for (int i = 0; i < kLastTurns; ++i) {
    mailbox_.deliverLocal();
    handleOwn();
  }
  flush();
}

void Router::carry(Archive& archive) {
  if (!archive.isReading()) settleOwn();
  archive(epoch_, ports_, lines_);
  tasks_.carry(archive);
  leases_.carry(archive);
  mailbox_.carry(archive);
  state_.carry(archive);
  table_.carry(archive);
  if (!archive.isReading()) return;
  for (const auto& [place, port] : ports_) places_[port.member.pid] = place;
}

void Router::attach(pid_t pid, Channel& channel) {
  if (Port* const port = portOf(pid)) port->channel = &channel;
}

// ---- Mail

Router::Port* Router::portOf(pid_t pid) {
  const auto found = places_.find(pid);
  return found == places_.end() ? nullptr : portAt(found->second);
}

Router::Port* Router::portAt(const Place& place) {
  const auto found = ports_.find(place);
  return found == ports_.end() ? nullptr : &found->second;
}

void Router::onFrame(pid_t pid, const Frame& frame) {
  Port* const port = portOf(pid);
  if (port == nullptr) return;
  std::optional<Envelope> mail = detail::decode(frame);
  if (!mail) {
    report(*port, "something that is no mail");
    return;
  }
  mail->from = port->place;
  route(port->place, *mail);
}

// The master's own mailbox is not called back from inside its calls.
Channel::Result Router::post(const Envelope& mail) {
  FileDescriptor sealed = duplicate(mail.descriptor);
  if (mail.descriptor >= 0 && !sealed) return Channel::Result::kFull;
  if (own_.empty()) {
    loop_.defer([this] { handleOwn(); });
  }
  own_.push_back({mail.op, mail.code, mail.correlation,
                  std::string(mail.targets), std::string(mail.name),
                  std::string(mail.data), std::move(sealed), mail.size});
  return Channel::Result::kSent;
}

void Router::handleOwn() {
  for (const Own& own : std::exchange(own_, {})) {
    route(detail::kMasterPlace, {.op = own.op,
                                 .code = own.code,
                                 .correlation = own.correlation,
                                 .targets = own.targets,
                                 .name = own.name,
                                 .data = own.data,
                                 .descriptor = own.sealed.get(),
                                 .size = own.size});
  }
}

void Router::route(const Place& sender, const Envelope& mail) {
  Port* const port = portAt(sender);
  if (port != nullptr && port->channel->queuedBytes() > kMostUnread) {
    report(*port, "mail, and reads none");
    return;
  }
  switch (mail.op) {
    case Op::kLetter:
    case Op::kRequest:
    case Op::kReply:
    case Op::kPublish:
      for (std::size_t i = 0; i < detail::targetCount(mail); ++i) {
        const Place target = detail::targetOf(mail, i);
        if (target == detail::kMasterPlace) {
          toMaster(sender, mail);
        } else {
          forward(sender, target, mail);
        }
      }
      return;
    case Op::kStateSet:
    case Op::kStateErase:
      // Those have a bound of their own: StateReplica::kMostUnsaid.
      changeState(sender, mail);
      return;
    case Op::kTableGet:
    case Op::kTableSet:
    case Op::kTableErase:
      // Each process has one of them on its way at a time.
      answerTable(sender, mail);
      return;
    case Op::kDraining:
      if (port != nullptr) onDraining(port->member.pid);
      break;
    case Op::kListen:
      tasks_.listens(sender, mail.name);
      break;
    case Op::kIgnore:
      tasks_.ignores(sender, mail.name);
      break;
    case Op::kConsume:
      takeTask(sender, mail);
      break;
    case Op::kTaskDone:
      endTask(sender, mail);
      break;
    case Op::kLease: {
      const bool again = mail.code != 0;
      leases_.ask(mail.name, again ? epoch_ : 0, {sender, mail.correlation});
      break;
    }
    case Op::kLeaseDone:
      leases_.done(mail.name, {sender, mail.correlation});
      break;
    case Op::kLeaseFailed:
      leases_.failed(mail.name, {sender, mail.correlation});
      break;
    default:
      if (port != nullptr) report(*port, "unknown mail");
      return;
  }
  credit(sender, detail::kMasterPlace, detail::chargeOf(mail));
}

void Router::toMaster(const Place& sender, const Envelope& mail) {
  mailbox_.deliver(mail);
  credit(sender, detail::kMasterPlace, detail::chargeOf(mail));
}

bool Router::hasRoom(const Port& target, const Place& sender) const {
  const auto found = target.incoming.find(sender);
  return found == target.incoming.end() || found->second < Messenger::kWindow;
}

void Router::forward(const Place& sender, const Place& target,
                     const Envelope& mail) {
  Port* const port = portAt(target);
  const std::size_t charge = detail::chargeOf(mail);
  // Who is being drained gets what it has asked for.
  const bool takes =
      port != nullptr && (!port->draining || mail.op == Op::kReply);
  if (!takes && mail.op != Op::kReply && hasHeir(target)) {
    forwardToHeir(sender, target, mail);
  } else if (!takes) {
    credit(sender, target, charge);
    if (Port* const from = portAt(sender)) payCredit(*from, target);
    refuse(sender, target, mail);
  } else if (!hasRoom(*port, sender)) {
    if (Port* const from = portAt(sender)) report(*from, "more than it may");
  } else {
    put(*port, mail, sender, charge);
  }
}

void Router::refuse(const Place& sender, const Place& target,
                    const Envelope& mail) {
  if (mail.op != Op::kRequest) return;
  tell(sender, {.op = Op::kReply,
                .code = static_cast<std::uint8_t>(Status::kDied),
                .from = target,
                .correlation = mail.correlation,
                .data = "it has ended, or is about to"});
}

void Router::tell(const Place& place, const Envelope& mail) {
  if (place == detail::kMasterPlace) {
    mailbox_.deliver(mail);
  } else if (Port* const port = portAt(place)) {
    put(*port, mail, {}, 0);
  }
}

void Router::put(Port& port, const Envelope& mail, const Place& sender,
                 std::size_t charge) {
  put(port, mail, sender, port.place, charge);
}

void Router::put(Port& port, const Envelope& mail, const Place& sender,
                 const Place& addressed, std::size_t charge) {
  Envelope forwarded = mail;
  forwarded.targets = {};
  scratch_.clear();
  detail::encode(forwarded, scratch_);
  const Channel::Result result = port.channel->post(
      {FrameKind::kMail, scratch_, mail.correlation, mail.descriptor});
  if (result != Channel::Result::kQueued) {
    // Its end is near, or there is no descriptor to keep the payload by.
    if (result == Channel::Result::kFull) {
      hooks_.onTrouble("mail to worker " + std::to_string(port.member.index) +
                       " is lost: no descriptor is left for its payload");
    }
    if (charge == 0) return;
    credit(sender, addressed, charge);
    refuse(sender, addressed, mail);
    return;
  }
  touch(port);
  if (charge == 0) return;
  if (addressed == port.place) port.incoming[sender] += charge;
  port.waiting.push_back({port.channel->taken(), sender, addressed, charge});
}

void Router::touch(Port& port) {
  if (std::exchange(port.isTouched, true)) return;
  if (touched_.empty()) {
    loop_.defer([this] { flush(); });
  }
  touched_.push_back(port.place);
}

void Router::flush() {
  for (const Place& place : std::exchange(touched_, {})) {
    Port* const port = portAt(place);
    if (port == nullptr) continue;
    port->isTouched = false;
    port->channel->flush();
    settle(*port);
    catchUp(*port);
  }
}

void Router::onProgress(pid_t pid) {
  Port* const port = portOf(pid);
  if (port == nullptr) return;
  settle(*port);
  catchUp(*port);
}

void Router::settle(Port& port) {
  while (!port.waiting.empty() &&
         port.waiting.front().frame <= port.channel->left()) {
    const Port::Waiting left = port.waiting.front();
    port.waiting.pop_front();
    if (left.addressed == port.place) {
      port.incoming[left.sender] -= left.charge;
    }
    credit(left.sender, left.addressed, left.charge);
  }
}

void Router::credit(const Place& sender, const Place& target,
                    std::size_t charge) {
  if (sender == detail::kMasterPlace) {
    mailbox_.deliver(
        {.op = Op::kCredit, .from = target, .correlation = charge});
    return;
  }
  Port* const port = portAt(sender);
  if (port == nullptr) return;
  std::size_t& owed = port->owed[target];
  owed += charge;
  if (owed >= kLump) payCredit(*port, target);
}

void Router::payCredit(Port& port, const Place& target) {
  const auto owed = port.owed.find(target);
  if (owed == port.owed.end() || owed->second == 0) return;
  put(port,
      {.op = Op::kCredit,
       .from = target,
       .correlation = std::exchange(owed->second, 0)},
      {}, 0);
}

void Router::report(Port& port, std::string_view what) {
  if (std::exchange(port.isReported, true)) return;
  hooks_.onTrouble("worker " + std::to_string(port.member.index) + ", pid " +
                   std::to_string(port.member.pid) + ", has sent " +
                   std::string(what) + "; thrown away, as all that follows");
}

// ---- Tasks

void Router::takeTask(const Place& caller, const Envelope& mail) {
  detail::Task task;
  task.caller = caller;
  task.correlation = mail.correlation;
  task.delivery = mail.code == 0 ? Messenger::Delivery::kAtMostOnce
                                 : Messenger::Delivery::kAtLeastOnce;
  task.event = mail.name;
  task.data = mail.data;
  task.sealed = duplicate(mail.descriptor);
  task.size = mail.size;
  if (mail.descriptor >= 0 && !task.sealed) {
    onTaskEnded(task, Status::kRefused, "no descriptor is left for its data");
    return;
  }
  tasks_.submit(std::move(task));
}

void Router::endTask(const Place& worker, const Envelope& mail) {
  const detail::Task* const task = tasks_.find(worker, mail.correlation);
  if (task == nullptr) return;
  Envelope answer = mail;
  answer.op = Op::kReply;
  answer.from = worker;
  answer.correlation = task->correlation;
  tell(task->caller, answer);
  tasks_.done(task->id);
}

void Router::onTask(const detail::Task& task, const Place& worker) {
  tell(worker, {.op = Op::kTask,
                .from = task.caller,
                .correlation = task.id,
                .name = task.event,
                .data = task.data,
                .descriptor = task.sealed.get(),
                .size = task.size});
}

void Router::onTaskEnded(const detail::Task& task, Status status,
                         std::string_view why) {
  tell(task.caller, {.op = Op::kReply,
                     .code = static_cast<std::uint8_t>(status),
                     .from = task.worker,
                     .correlation = task.correlation,
                     .data = why});
}

}  // namespace brigade
