#pragma once

// Member: one worker process of the program, as the others know it. The index
// is kept by its successors; index and generation together are one process.

#include <sys/types.h>

namespace brigade {

struct Member {
  unsigned index = 0;       // 1..N over the whole program; 0: the master
  unsigned generation = 0;  // 1 for the first process at that index
  pid_t pid = 0;
  unsigned group = 0;  // which Worker of the program, 0 for the first
};

}  // namespace brigade
