#pragma once

// TemporaryFile: files that have no name, so that nothing of them stays behind
// whatever ends the process, and how one gets a name after all. All of it
// blocks for as long as the disk does. Errors are those of errno.

#include <string>
#include <string_view>
#include <system_error>

#include "brigade/Events/FileDescriptor.h"
#include "brigade/Worker/HttpUpload.h"

namespace brigade::detail {

// Of mode 0600, to be read and written (O_TMPFILE). None: errno says why.
FileDescriptor openTemporaryFile(const std::string& folder);
// The same for a file system without O_TMPFILE: the file has a name between two
// system calls, and cannot get another one.
FileDescriptor openUnlinkedFile(const std::string& folder);

// All of it, at the end of what was written before.
std::error_code appendTo(const FileDescriptor& file, std::string_view bytes);

// Gives what `file` holds, or if it is none `bytes`, the name `path`: a link
// where that can be had, else a copy; what a copy would not mend is the answer
// at once. Either appears whole or not at all; a crash inside a copy, or of
// kReplace, can leave PATH.XXXXXXXXXXXXXXXX behind.
std::error_code saveFile(const FileDescriptor& file, std::string_view bytes,
                         const std::string& path,
                         HttpUpload::File::IfExists ifExists);

}  // namespace brigade::detail
