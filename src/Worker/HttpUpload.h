#pragma once

// HttpUpload: a form with files (multipart/form-data, RFC 7578) as it arrives.
// Fields are kept in memory; a file as well until it passes a threshold, and
// from there on in a temporary file without a name, so that the memory of an
// upload has a bound, however large it is, and nothing stays behind when it is
// cut off or the process dies.
//
//   bool streamBody(HttpConnection& http, const HttpRequest& head) override {
//     auto& upload = http.context<State>().upload;  // optional<HttpUpload>
//     upload.emplace(head);
//     if (upload->refused()) http.send(upload->refusal());
//     return true;
//   }
//   void onBody(HttpConnection& http, std::string_view piece) override {
//     auto& upload = http.context<State>().upload;
//     if (!upload->add(piece)) http.send(upload->refusal());
//   }
//   void onBodyEnd(HttpConnection& http) override {
//     auto& upload = http.context<State>().upload;
//     if (upload->end()) use(upload->files());
//     http.send(upload->refused() ? upload->refusal() : thanks);
//     upload.reset();
//   }
//
// A body that streams is not bounded by maxPackageSize: the limits are those
// here. A request without a body comes to onRequest. In a worker process;
// files are written with write(2) inside add(), so a disk that does not keep up
// holds the client back, and the other connections of the process with it.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "brigade/Events/FileDescriptor.h"
#include "brigade/Protocol/HttpRequest.h"
#include "brigade/Protocol/HttpResponse.h"
#include "brigade/Protocol/Multipart.h"

namespace brigade {

// Over one of these the status is 413, unless it says otherwise.
struct HttpUploadSettings {
  std::uint64_t bytes = std::uint64_t{2} << 30;  // the body, boundaries and all
  std::uint64_t fileBytes = std::uint64_t{1} << 30;
  std::size_t fieldBytes = std::size_t{64} << 10;
  std::size_t parts = 1000;
  // Each may hold a descriptor until the upload is gone.
  std::size_t files = 64;
  // A longer file goes to a temporary file.
  std::size_t memoryFileBytes = std::size_t{64} << 10;
  // Of one upload in all, names included. A file that would pass it goes to a
  // temporary file.
  std::size_t memoryBytes = std::size_t{1} << 20;
  // For temporary files. Empty: that of the environment's TMPDIR, else /tmp. On
  // a tmpfs they are in memory, if not in the process's own.
  std::string folder = {};
};

class HttpUpload {
 public:
  struct Field {
    std::string name;
    std::string value;
  };

  class File {
   public:
    // kFail: std::errc::file_exists, and what is there stays.
    enum class IfExists : std::uint8_t { kFail, kReplace };

    const std::string& name() const { return name_; }  // of the form's field
    // As the client sent it: never a path to write to.
    const std::string& filename() const { return filename_; }
    const std::string& contentType() const { return contentType_; }
    std::uint64_t size() const { return size_; }

    // All of it, unless it is in a temporary file.
    std::string_view bytes() const { return bytes_; }
    // The temporary file, or none; open to be read, at whatever offset.
    const FileDescriptor& descriptor() const { return descriptor_; }

    // Keeps it under that name, with mode 0600: by a link when `path` is on the
    // file system of the temporary file, else by a copy, which blocks while it
    // is written. It appears whole or not at all, and is not synced. The
    // folder is not made. A crash in a copy or in kReplace can leave a file
    // PATH.XXXXXXXXXXXXXXXX. While the file is still on its way:
    // std::errc::operation_in_progress. Saved twice, it has two names; what is
    // written to one of two links is in the other as well.
    std::error_code saveAs(const std::string& path,
                           IfExists ifExists = IfExists::kFail) const;

   private:
    friend class HttpUpload;

    std::string name_;
    std::string filename_;
    std::string contentType_;
    std::string bytes_;
    FileDescriptor descriptor_;
    std::uint64_t size_ = 0;
    bool whole_ = false;
  };

  // `head` as streamBody() has it; nothing of it is needed longer. Refused at
  // once: 415 when it is no multipart/form-data or has a Content-Encoding, 400
  // without a boundary, 413 when its Content-Length is over the limit.
  explicit HttpUpload(const HttpRequest& head,
                      HttpUploadSettings settings = {});

  // Called with each piece of a file, that of files().back(), as it arrives:
  // for a digest, say. Not called for a file without bytes.
  std::function<void(std::string_view piece)> onFileBytes;

  // The next piece of the body. False: refused, now or before.
  bool add(std::string_view piece);
  // The body has ended. False: refused; 400 when its last boundary is missing.
  bool end();

  // 400: malformed. 413: over a limit. 507: the disk is full. 503: no
  // descriptor is left. 500: another error of the disk. The last three have
  // a line in the log, up to ten a second. What had come of it is gone.
  bool refused() const { return status_ != 0; }
  unsigned status() const { return status_; }  // 0: not refused
  const std::string& reason() const { return reason_; }
  // What may be sent to the client: status and reason, in text/plain.
  HttpResponse refusal() const;

  // In the order of the form. Several files may have one name. A file input
  // that was left empty, without a name and without bytes, is none. The last
  // one is still on its way until end().
  std::span<const File> files() const { return files_; }
  const std::vector<Field>& fields() const { return fields_; }
  // The first of that name.
  std::optional<std::string_view> field(std::string_view name) const;

 private:
  bool refuse(unsigned status, std::string reason);
  bool failed(const std::string& what, std::error_code error);
  bool handle(const Multipart::Event& event);
  bool beginPart();
  bool addData(std::string_view data);
  bool addToField(std::string_view data);
  bool addToFile(std::string_view data);
  bool spill(File& file);
  void endPart();
  bool fits(std::size_t size) const;
  std::string folder() const;

  HttpUploadSettings settings_;
  std::optional<Multipart> parser_;
  std::vector<Field> fields_;
  std::vector<File> files_;
  std::uint64_t received_ = 0;
  std::size_t memory_ = 0;  // what names, fields and files in memory take
  std::size_t parts_ = 0;
  bool inFile_ = false;  // the part at hand is one
  unsigned status_ = 0;
  std::string reason_;
};

}  // namespace brigade
