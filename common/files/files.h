#ifndef PLUMB_COMMON_FILES_FILES_H_
#define PLUMB_COMMON_FILES_FILES_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace plumb {

// Every message names the path and what the system said ("No space left on device").

absl::StatusOr<std::string> ReadFile(const std::string& path);

// Replaces `path` as a whole or not at all: a temporary file beside it, synced, renamed, the folder synced.
absl::Status WriteFileAtomically(const std::string& path, absl::string_view contents);

// The same for what is too large for one string: `write` gets an open file descriptor of the temporary file.
absl::Status WriteFileAtomically(const std::string& path, const std::function<absl::Status(int fd)>& write);

// Writes all of `bytes` to `fd`; `path` is for the message.
absl::Status WriteAll(int fd, absl::string_view bytes, const std::string& path);

// Appends whole lines; synced when `sync`.
absl::Status AppendToFile(const std::string& path, absl::string_view contents, bool sync = false);

// Replaces the folder `path` as a whole or not at all: `fill` writes into a temporary folder beside it, which
// is then synced and renamed. When this returns an error, `path` is what it was.
absl::Status WriteFolderAtomically(const std::string& path,
                                   const std::function<absl::Status(const std::string& temporary)>& fill);

absl::Status MakeFolders(const std::string& path);
absl::Status RemoveFolder(const std::string& path);  // with all in it; no error when it is not there
bool FileExists(const std::string& path);

// That a name of the user's can be a folder's: letters, digits, - _ and ., which does not come first. `field`
// ("stage[0].name") begins the message.
absl::Status CheckFolderName(const std::string& field, const std::string& name);

// Sorted; a pattern that matches nothing is an error that names it.
absl::StatusOr<std::vector<std::string>> ExpandGlob(const std::string& pattern);

}  // namespace plumb

#endif  // PLUMB_COMMON_FILES_FILES_H_
