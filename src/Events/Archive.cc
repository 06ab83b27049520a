#include "brigade/Events/Archive.h"

#include <fcntl.h>

namespace brigade {

void Archive::carryBytes(void* value, std::size_t size) {
  if (!isReading_) {
    bytes_.append(static_cast<const char*>(value), size);
    return;
  }
  if (bytes_.size() - at_ < size) {
    throw BadArchive("what was carried over ends too early");
  }
  std::memcpy(value, bytes_.data() + at_, size);
  at_ += size;
}

void Archive::carry(std::string& value) {
  std::uint64_t size = value.size();
  carry(size);
  if (!isReading_) {
    bytes_ += value;
    return;
  }
  if (bytes_.size() - at_ < size) {
    throw BadArchive("what was carried over ends too early");
  }
  value = bytes_.substr(at_, size);
  at_ += size;
}

void Archive::carry(FileDescriptor& value) {
  if (isReading_) {
    value = readDescriptor();
  } else {
    write(value.get());
  }
}

void Archive::write(int descriptor) {
  carryBytes(&descriptor, sizeof descriptor);
  if (descriptor >= 0) descriptors_.push_back(descriptor);
}

FileDescriptor Archive::readDescriptor() {
  int descriptor = -1;
  carryBytes(&descriptor, sizeof descriptor);
  if (descriptor >= 0) ::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  return FileDescriptor(descriptor);
}

void Archive::keepDescriptors() const {
  for (const int each : descriptors_) ::fcntl(each, F_SETFD, 0);
}

void Archive::releaseDescriptors() const {
  for (const int each : descriptors_) ::fcntl(each, F_SETFD, FD_CLOEXEC);
}

}  // namespace brigade
