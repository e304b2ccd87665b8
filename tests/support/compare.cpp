#include "tests/support/compare.h"

#include <ATen/ops/dot.h>
#include <ATen/ops/isfinite.h>

#include <limits>

namespace reel::testing {

double relative_error(const at::Tensor& got, const at::Tensor& want) {
  if (got.sizes() != want.sizes()) return std::numeric_limits<double>::infinity();
  const at::Tensor a = got.detach().cpu().to(at::kDouble);
  const at::Tensor b = want.detach().cpu().to(at::kDouble);
  if (!a.isfinite().all().item<bool>()) return std::numeric_limits<double>::infinity();
  return (a - b).abs().max().item<double>() / b.abs().max().item<double>();
}

double cosine(const at::Tensor& got, const at::Tensor& want) {
  const at::Tensor a = got.detach().cpu().to(at::kDouble).reshape(-1);
  const at::Tensor b = want.detach().cpu().to(at::kDouble).reshape(-1);
  return a.dot(b).item<double>() / (a.norm().item<double>() * b.norm().item<double>());
}

std::filesystem::path data_file(const std::string& name) {
  return std::filesystem::path("tests/data") / name;
}

}  // namespace reel::testing
