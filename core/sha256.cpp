#include "core/sha256.h"

#include <openssl/evp.h>

#include <array>

#include "core/error.h"

namespace reel {
namespace {

std::string digest(const void* data, size_t num_bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> sum{};
  unsigned int length = 0;
  if (EVP_Digest(data, num_bytes, sum.data(), &length, EVP_sha256(), nullptr) != 1) {
    fail<Error>("sha256: the cryptographic library refused");
  }
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (unsigned int i = 0; i < length; ++i) {
    text += kDigits[sum[i] >> 4];
    text += kDigits[sum[i] & 15];
  }
  return text;
}

}  // namespace

std::string sha256(std::string_view bytes) {
  return digest(bytes.data(), bytes.size());
}

std::string sha256(const at::Tensor& tensor) {
  const at::Tensor host = tensor.cpu().contiguous();
  return digest(host.const_data_ptr(), host.nbytes());
}

}  // namespace reel
