// Runs a fuzz target over every file of the folder that is named, in every
// build, without libFuzzer: what a fuzzer once found stays found.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size);

namespace {

std::vector<std::filesystem::path> filesOf(const char* folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  if (files.empty()) throw std::runtime_error("no file to replay");
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<char> contentsOf(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path.string());
  return {std::istreambuf_iterator<char>(file), {}};
}

void replay(const char* folder) {
  const std::vector<std::filesystem::path> files = filesOf(folder);
  for (const std::filesystem::path& path : files) {
    // Named before: a failure aborts.
    std::printf("%s\n", path.filename().c_str());
    std::fflush(stdout);
    const std::vector<char> bytes = contentsOf(path);
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()),
                           bytes.size());
  }
  std::printf("%zu files\n", files.size());
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 2) throw std::invalid_argument("name one folder");
  replay(argv[1]);
  return 0;
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s: %s\n", argv[argc - 1], e.what());
  return 1;
}
