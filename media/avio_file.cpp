#include "media/avio_file.h"

#include <cstdio>
#include <memory>
#include <new>
#include <string_view>

namespace reel::media {
namespace {

constexpr int kBufferBytes = 256 << 10;

}  // namespace

AvioFile::AvioFile(OutputFile& file)
    : file_(file), io_(make_context(new Cursor{this, 0}, /*writable=*/true)) {
  if (io_ == nullptr) fail<OutOfMemory>(file.target().string(), ": no memory for a file buffer");
}

AvioFile::~AvioFile() {
  free_context(io_);
}

void AvioFile::attach(AVFormatContext& context) {
  context.pb = io_;
  context.flags |= AVFMT_FLAG_CUSTOM_IO;
  context.opaque = this;
  context.io_open = open_again;
  context.io_close2 = close_again;
}

void AvioFile::rethrow() const {
  if (error_) std::rethrow_exception(error_);
}

int AvioFile::read(void* opaque, uint8_t* data, int num_bytes) {
  auto* cursor = static_cast<Cursor*>(opaque);
  try {
    const size_t got =
        cursor->owner->file_.read_at(cursor->position, data, static_cast<size_t>(num_bytes));
    cursor->position += static_cast<int64_t>(got);
    return got == 0 ? AVERROR_EOF : static_cast<int>(got);
  } catch (...) {
    cursor->owner->error_ = std::current_exception();
    return AVERROR(EIO);
  }
}

int AvioFile::write(void* opaque, uint8_t* data, int num_bytes) {
  auto* cursor = static_cast<Cursor*>(opaque);
  try {
    const std::string_view bytes(reinterpret_cast<const char*>(data),
                                 static_cast<size_t>(num_bytes));
    cursor->owner->file_.write_at(cursor->position, bytes);
    cursor->position += num_bytes;
    return num_bytes;
  } catch (...) {
    cursor->owner->error_ = std::current_exception();
    return AVERROR(EIO);
  }
}

int64_t AvioFile::seek(void* opaque, int64_t offset, int whence) {
  auto* cursor = static_cast<Cursor*>(opaque);
  const int64_t size = cursor->owner->file_.size_bytes();
  switch (whence & ~AVSEEK_FORCE) {
    case AVSEEK_SIZE:
      return size;
    case SEEK_SET:
      break;
    case SEEK_CUR:
      offset += cursor->position;
      break;
    case SEEK_END:
      offset += size;
      break;
    default:
      return AVERROR(EINVAL);
  }
  if (offset < 0) return AVERROR(EINVAL);
  cursor->position = offset;
  return offset;
}

int AvioFile::open_again(AVFormatContext* context, AVIOContext** io, const char* /*url*/, int flags,
                         AVDictionary** /*options*/) {
  if ((flags & AVIO_FLAG_WRITE) != 0) return AVERROR(EACCES);
  auto* owner = static_cast<AvioFile*>(context->opaque);
  *io = make_context(new (std::nothrow) Cursor{owner, 0}, /*writable=*/false);
  return *io == nullptr ? AVERROR(ENOMEM) : 0;
}

int AvioFile::close_again(AVFormatContext* /*context*/, AVIOContext* io) {
  free_context(io);
  return 0;
}

// Takes over `cursor`, also if it fails.
AVIOContext* AvioFile::make_context(Cursor* cursor, bool writable) {
  std::unique_ptr<Cursor> owned(cursor);
  auto* buffer = static_cast<unsigned char*>(av_malloc(kBufferBytes));
  if (!owned || buffer == nullptr) {
    av_free(buffer);
    return nullptr;
  }
  AVIOContext* io =
      avio_alloc_context(buffer, kBufferBytes, writable ? 1 : 0, cursor, read, write, seek);
  if (io == nullptr) {
    av_free(buffer);
    return nullptr;
  }
  static_cast<void>(owned.release());  // free_context deletes it
  return io;
}

void AvioFile::free_context(AVIOContext* io) {
  if (io == nullptr) return;
  delete static_cast<Cursor*>(io->opaque);
  av_freep(&io->buffer);
  avio_context_free(&io);
}

}  // namespace reel::media
