#pragma once

// A directory of a test's own, gone with everything in it when the test ends.

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

namespace brigade::test {

class TempDirectory {
 public:
  TempDirectory() {
    if (::mkdtemp(name_.data()) == nullptr) {
      throw std::system_error(errno, std::system_category(), name_);
    }
  }
  ~TempDirectory() {
    std::error_code ignored;  // what is left does not end the tests
    std::filesystem::remove_all(name_, ignored);
  }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;

  const std::string& name() const { return name_; }
  std::filesystem::path path() const { return name_; }
  std::string operator/(const std::string& entry) const {
    return name_ + "/" + entry;
  }

 private:
  // Not in $TMPDIR: the name of a Unix socket is short, and worker processes of
  // other users come here.
  std::string name_ = "/tmp/brigade-test-XXXXXX";
};

}  // namespace brigade::test
