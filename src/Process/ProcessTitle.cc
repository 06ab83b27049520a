#include "brigade/Process/ProcessTitle.h"

#include <bsd/unistd.h>
#include <unistd.h>

#include <string>

namespace brigade {

void initProcessTitle(int argc, char** argv) {
  ::setproctitle_init(argc, argv, environ);
}

void setProcessTitle(std::string_view title) {
  // The dash leaves out the program's name, which would come first.
  ::setproctitle("-%s", std::string(title).c_str());
}

}  // namespace brigade
