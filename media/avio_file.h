// FFmpeg's file access over an OutputFile.
#pragma once

#include <exception>

#include "core/output_file.h"
#include "media/ffmpeg.h"

namespace reel::media {

/// The AVIOContext that a muxer writes an OutputFile through. Muxers that read back what they wrote
/// (the MP4 muxer, to move its index to the front) open it a second time by the context's io_open,
/// which attach() directs here. Exceptions of the file wait in rethrow(): C code cannot pass them.
class AvioFile {
 public:
  /// `file` is not owned and must outlive this.
  explicit AvioFile(OutputFile& file);
  ~AvioFile();
  AvioFile(const AvioFile&) = delete;
  AvioFile& operator=(const AvioFile&) = delete;

  /// Makes `context` write here. The context must not outlive this.
  void attach(AVFormatContext& context);

  /// Throws what the file threw inside FFmpeg, if anything.
  void rethrow() const;

 private:
  // One place in the file: the writer's, or that of a reader which the muxer opened.
  struct Cursor {
    AvioFile* owner;
    int64_t position;
  };

  static int read(void* opaque, uint8_t* data, int num_bytes);
  static int write(void* opaque, uint8_t* data, int num_bytes);
  static int64_t seek(void* opaque, int64_t offset, int whence);
  static int open_again(AVFormatContext* context, AVIOContext** io, const char* url, int flags,
                        AVDictionary** options);
  static int close_again(AVFormatContext* context, AVIOContext* io);
  static AVIOContext* make_context(Cursor* cursor, bool writable);
  static void free_context(AVIOContext* io);

  OutputFile& file_;
  std::exception_ptr error_;
  AVIOContext* io_;
};

}  // namespace reel::media
