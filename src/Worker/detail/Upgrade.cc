#include "brigade/Worker/detail/Upgrade.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <exception>
#include <utility>

#include "brigade/Events/ExceptionText.h"
#include "brigade/Worker/Log.h"

namespace brigade::detail {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Between two looks whether something is half done.
constexpr milliseconds kLooks{5};
// So long the answers that the master owes are waited for.
constexpr seconds kAnswers{1};
// And so long everything else: a start, a drain, a reload that is under way.
constexpr seconds kPatience{60};

constexpr const char* kStopping = "the program is stopping";
constexpr const char* kNotLeft =
    "; the code that runs serves on, and its clients see nothing of this";
constexpr const char* kWentBack = "; the code before serves on";

// Nothing but what is carried over stays open: neither is what the program has
// opened in the master and not marked.
void closeOthers() {
  DIR* const folder = ::opendir("/proc/self/fd");
  if (folder == nullptr) return;
  while (const dirent* const entry = ::readdir(folder)) {
    int fd = -1;
    const char* const name = entry->d_name;
    std::from_chars(name, name + std::strlen(name), fd);
    if (fd > STDERR_FILENO) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  }
  ::closedir(folder);
}

}  // namespace

Upgrade::Upgrade(EventInterface& loop, Launch launch,
                 std::vector<std::string> plan, UpgradeHandler& handler)
    : loop_(loop),
      launch_(std::move(launch)),
      plan_(std::move(plan)),
      handler_(handler) {}

Upgrade::~Upgrade() { loop_.del(looks_); }

void Upgrade::closeInChild() {
  if (check_) check_->closeInChild();
  launch_.closeInChild();
  candidate_.reset();
  previous_.reset();
}

std::string Upgrade::warning() const {
  if (!launch_.isGone()) return {};
  return "the program's file " + launch_.path() +
         " is gone: the code that runs goes on";
}

void Upgrade::ask(Grace grace, std::uint64_t reply) {
  std::optional<Wish>& wish = wish_ ? next_ : wish_;
  const bool isFirst = !wish_;
  if (!wish) wish = Wish{grace, {}};
  wish->grace = grace;
  if (reply != 0) wish->replies.push_back(reply);
  if (isFirst) begin();
}

void Upgrade::cancel() {
  check_.reset();
  if (wish_) fail(kStopping);
}

// ---- In the code before

void Upgrade::begin() {
  log(LogLevel::kInfo, "upgrade: checking " + launch_.path());
  try {
    candidate_ = launch_.open();
    ImageCheck::Options options;
    options.image = candidate_.get();
    options.arguments = {"--check"};
    options.variable = Inheritance::variableForCheck();
    options.inChild = [this] { handler_.inCheck(); };
    check_ = std::make_unique<ImageCheck>(
        loop_, launch_, std::move(options),
        [this](std::string_view reason, std::string_view output) {
          checked(reason, output);
        });
  } catch (const std::exception& e) {
    refuse(e.what());
  }
}

void Upgrade::checked(std::string_view reason, std::string_view output) {
  check_.reset();
  std::string wrong(reason);
  if (wrong.empty()) wrong = differenceOf(plan_, output);
  if (!wrong.empty()) {
    refuse(launch_.path() + " fails its check: " + wrong);
    return;
  }
  accepted_ = Clock::now();
  await();
}

void Upgrade::await() {
  looks_ = loop_.add(kLooks, Repeat::kEvery, [this] { tryToBecome(); });
}

void Upgrade::tryToBecome() {
  const Clock::duration waited = Clock::now() - accepted_;
  if (handler_.isStopping()) {
    fail(kStopping);
  } else if (handler_.isQuiet(waited < kAnswers)) {
    loop_.del(std::exchange(looks_, {}));
    // Behind what this turn has put off.
    loop_.defer([this] { becomeNow(); });
  } else if (waited > kPatience && failure_.empty()) {
    refuse("something else is under way still");
  }
}

void Upgrade::becomeNow() {
  if (!wish_) return;
  handler_.settle();
  if (!handler_.isQuiet(false)) {
    await();
  } else if (failure_.empty()) {
    become(candidate_.get(), "");
  } else {
    become(previous_.get(), failure_);
  }
}

// Does not return when it succeeds.
void Upgrade::become(int image, const std::string& failure) {
  Heir heir;
  heir.image = image_ + 1;
  heir.path = launch_.path();
  heir.upgrades = upgrades_;
  heir.isGraceful = wish_->grace == Grace::kGraceful;
  heir.replies = wish_->replies;
  heir.isAskedAgain = next_.has_value();
  if (next_) heir.nextReplies = next_->replies;
  heir.failure = failure;
  heir.failedImage = failure.empty() ? 0 : image_;
  std::string what;
  try {
    handler_.leave(heir);
    int previous = failure.empty() ? launch_.image() : -1;
    Archive archive;
    archive(previous, heir);
    handler_.carry(archive);
    const FileDescriptor state = Inheritance::write(archive);
    closeOthers();
    archive.keepDescriptors();
    ::fcntl(state.get(), F_SETFD, 0);
    if (previous >= 0) ::fcntl(previous, F_SETFD, 0);
    // A handler is gone from execve(2) on; what comes meanwhile waits.
    sigset_t all;
    ::sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, nullptr);
    std::fflush(nullptr);
    launch_.execute(image, {}, Inheritance::variableFor(state.get()));
    what = "cannot run " + launch_.path() + ": " +
           std::generic_category().message(errno);
    ::sigprocmask(SIG_SETMASK, &heir.signals, nullptr);
    if (previous >= 0) ::fcntl(previous, F_SETFD, FD_CLOEXEC);
    archive.releaseDescriptors();
  } catch (...) {
    what = exceptionText(std::current_exception());
  }
  if (failure.empty()) {
    refuse(what);
  } else {
    fail(failure + "; and the code before cannot be run: " + what +
         ": the new code stays");
  }
}

// ---- In the new code

void Upgrade::resume(Inheritance& inheritance) {
  const Heir& heir = inheritance.heir();
  image_ = heir.image;
  upgrades_ = heir.upgrades;
  launch_.resumeAs(heir.path);
  wish_ = Wish{heir.isGraceful ? Grace::kGraceful : Grace::kFast, heir.replies};
  if (heir.isAskedAgain) next_ = Wish{wish_->grace, heir.nextReplies};
  previous_ = inheritance.takePrevious();
  if (heir.failure.empty()) {
    log(LogLevel::kInfo, "upgrade: this is the new code, and takes over");
    handler_.replaceAll(wish_->grace);
    return;
  }
  handler_.replaceThoseOf(heir.failedImage);
  fail(heir.failure + kWentBack);
}

void Upgrade::replaced(bool ok, const std::string& reason) {
  if (!wish_) return;
  if (ok) {
    ++upgrades_;
    finish();
  } else if (handler_.isStopping() || !previous_) {
    fail(reason);
  } else {
    log(LogLevel::kError, "upgrade: " + reason + ": back to the code before");
    failure_ = reason;
    accepted_ = Clock::now();
    await();
  }
}

void Upgrade::finish() {
  previous_.reset();
  candidate_.reset();
  const Wish done = *std::exchange(wish_, std::nullopt);
  handler_.onUpgraded(done.replies);
  if (!next_) return;
  wish_ = std::exchange(next_, std::nullopt);
  if (isReplaced()) {
    begin();
  } else {
    finish();
  }
}

void Upgrade::refuse(const std::string& reason) { fail(reason + kNotLeft); }

void Upgrade::fail(const std::string& reason) {
  loop_.del(std::exchange(looks_, {}));
  failure_.clear();
  previous_.reset();
  candidate_.reset();
  const Wish failed = *std::exchange(wish_, std::nullopt);
  handler_.onUpgradeFailed(failed.replies, reason);
  if (!next_) return;
  wish_ = std::exchange(next_, std::nullopt);
  if (handler_.isStopping()) {
    fail(kStopping);
  } else {
    begin();
  }
}

}  // namespace brigade::detail
