#include "brigade/Worker/HttpUpload.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <limits>
#include <utility>

#include "brigade/Protocol/HttpForm.h"
#include "brigade/Worker/detail/LogLimit.h"
#include "brigade/Worker/detail/TemporaryFile.h"

namespace brigade {
namespace {

using Kind = Multipart::Event::Kind;

// What a part costs besides its texts, so that very many empty ones have a
// bound as well.
constexpr std::size_t kPartOverhead = sizeof(HttpUpload::File);

unsigned statusOf(std::error_code error) {
  if (error == std::errc::no_space_on_device ||
      error == std::errc::file_too_large || error.value() == EDQUOT) {
    return 507;
  }
  if (error == std::errc::too_many_files_open ||
      error == std::errc::too_many_files_open_in_system) {
    return 503;
  }
  return 500;
}

}  // namespace

std::error_code HttpUpload::File::saveAs(const std::string& path,
                                         IfExists ifExists) const {
  if (!whole_) return std::make_error_code(std::errc::operation_in_progress);
  return detail::saveFile(descriptor_, bytes_, path, ifExists);
}

HttpUpload::HttpUpload(const HttpRequest& head, HttpUploadSettings settings)
    : settings_(std::move(settings)) {
  const std::string_view type = head.header("Content-Type").value_or("");
  const auto media = parseMediaType(type);
  if (!media || media->type != "multipart/form-data") {
    refuse(415, "no multipart/form-data");
    return;
  }
  // RFC 9110, 8.4: what is compressed is not unpacked here.
  const auto coding = head.header("Content-Encoding");
  if (coding && *coding != "identity") {
    refuse(415, "a content coding");
    return;
  }
  const auto boundary = Multipart::boundaryOf(type);
  if (!boundary) {
    refuse(400, "multipart/form-data without a boundary");
  } else if (head.contentLength().value_or(0) > settings_.bytes) {
    refuse(413, "an upload over the limit");
  } else {
    // Parts are counted here, where too many are no malformed body.
    Multipart::Limits limits;
    limits.parts = std::numeric_limits<std::size_t>::max();
    parser_.emplace(*boundary, limits);
  }
}

bool HttpUpload::add(std::string_view piece) {
  if (refused()) return false;
  received_ += piece.size();
  if (received_ > settings_.bytes) {
    return refuse(413, "an upload over the limit");
  }
  for (;;) {
    const Multipart::Event event = parser_->next(piece);
    if (event.kind == Kind::kMore) return true;
    if (!handle(event)) return false;
  }
}

bool HttpUpload::end() {
  if (refused()) return false;
  return parser_->ended() ||
         refuse(400, "a body that ends before its last boundary");
}

HttpResponse HttpUpload::refusal() const {
  const unsigned status = refused() ? status_ : 500;
  return HttpResponse::text(std::to_string(status) + " " +
                                std::string(httpReason(status)) + ": " +
                                reason_ + "\n",
                            status);
}

std::optional<std::string_view> HttpUpload::field(std::string_view name) const {
  const auto found =
      std::find_if(fields_.begin(), fields_.end(),
                   [&](const Field& field) { return field.name == name; });
  if (found == fields_.end()) return std::nullopt;
  return found->value;
}

bool HttpUpload::refuse(unsigned status, std::string reason) {
  status_ = status;
  reason_ = std::move(reason);
  // The connection may take its time to end.
  fields_.clear();
  files_.clear();
  return false;
}

// The log has what is the server's own affair, the client only that it is.
bool HttpUpload::failed(const std::string& what, std::error_code error) {
  // One of the process: a disk fails for all uploads, and they have no owner
  // that knows the others.
  static detail::LogLimit limit;
  limit.log(
      Clock::now(), LogLevel::kError,
      "an upload failed: " + what + " in " + folder() + ": " + error.message());
  return refuse(statusOf(error), "the upload cannot be stored");
}

bool HttpUpload::handle(const Multipart::Event& event) {
  switch (event.kind) {
    case Kind::kRefused:
      return refuse(400, event.reason);
    case Kind::kPart:
      return beginPart();
    case Kind::kData:
      return inFile_ ? addToFile(event.data) : addToField(event.data);
    case Kind::kPartEnd:
      endPart();
      return true;
    case Kind::kMore:
    case Kind::kEnd:
      break;
  }
  return true;
}

bool HttpUpload::fits(std::size_t size) const {
  return size <= settings_.memoryBytes - memory_;
}

bool HttpUpload::beginPart() {
  const MultipartPart& part = parser_->part();
  if (++parts_ > settings_.parts) return refuse(413, "too many parts");
  inFile_ = part.filename.has_value();
  const std::size_t size =
      kPartOverhead + part.name.size() +
      (inFile_ ? part.filename->size() + part.contentType.size() : 0);
  if (!fits(size)) return refuse(413, "fields over the limit of memory");
  memory_ += size;
  if (!inFile_) {
    fields_.push_back({part.name, {}});
    return true;
  }
  if (files_.size() == settings_.files) return refuse(413, "too many files");
  File& file = files_.emplace_back();
  file.name_ = part.name;
  file.filename_ = *part.filename;
  file.contentType_ = part.contentType;
  return true;
}

bool HttpUpload::addToField(std::string_view data) {
  std::string& value = fields_.back().value;
  if (data.size() > settings_.fieldBytes - value.size()) {
    return refuse(413, "a field over the limit");
  }
  if (!fits(data.size())) return refuse(413, "fields over the limit of memory");
  memory_ += data.size();
  value += data;
  return true;
}

bool HttpUpload::addToFile(std::string_view data) {
  File& file = files_.back();
  if (data.size() > settings_.fileBytes - file.size_) {
    return refuse(413, "a file over the limit");
  }
  const bool stays = !file.descriptor_ && fits(data.size()) &&
                     file.size_ + data.size() <= settings_.memoryFileBytes;
  if (stays) {
    file.bytes_ += data;
    memory_ += data.size();
  } else {
    if (!file.descriptor_ && !spill(file)) return false;
    if (const auto error = detail::appendTo(file.descriptor_, data)) {
      return failed("write", error);
    }
  }
  file.size_ += data.size();
  if (onFileBytes) onFileBytes(data);
  return true;
}

// What is there of it goes to a temporary file, and its memory comes back.
bool HttpUpload::spill(File& file) {
  FileDescriptor descriptor = detail::openTemporaryFile(folder());
  if (!descriptor) {
    return failed("open", {errno, std::generic_category()});
  }
  if (const auto error = detail::appendTo(descriptor, file.bytes_)) {
    return failed("write", error);
  }
  memory_ -= file.bytes_.size();
  file.bytes_ = std::string();
  file.descriptor_ = std::move(descriptor);
  return true;
}

// A browser sends an input without a file as one without a name.
void HttpUpload::endPart() {
  if (!inFile_) return;
  File& file = files_.back();
  file.whole_ = true;
  if (file.size_ == 0 && file.filename_.empty()) files_.pop_back();
}

std::string HttpUpload::folder() const {
  if (!settings_.folder.empty()) return settings_.folder;
  const char* const folder = std::getenv("TMPDIR");
  return folder != nullptr && *folder != '\0' ? folder : "/tmp";
}

}  // namespace brigade
