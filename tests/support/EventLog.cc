#include "tests/support/EventLog.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>

#include "brigade/Events/FileDescriptor.h"
#include "tests/support/Environment.h"

namespace brigade::test {

void note(const std::string& event) {
  noteIn(variable("EVENT_LOG"), std::to_string(::getpid()) + " " + event);
}

void noteIn(const std::string& file, const std::string& line) {
  if (file.empty()) return;
  const FileDescriptor log(
      ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
  const std::string whole = line + "\n";
  if (::write(log.get(), whole.data(), whole.size()) < 0) std::abort();
}

}  // namespace brigade::test
