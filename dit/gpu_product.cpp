#include "dit/gpu_product.h"

#include <ATen/cuda/CUDAContextLight.h>
#include <ATen/record_function.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <cublasLt.h>
#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "core/error.h"
#include "dit/elementwise_gpu.h"

namespace reel::dit::gpu {
namespace {

// cuBLASLt as LibTorch loaded it. Linking to it would add a second search for the library, which
// may find another copy.
struct Library {
  decltype(&cublasLtMatmul) matmul;
  decltype(&cublasLtMatmulAlgoGetHeuristic) heuristic;
  decltype(&cublasLtMatmulDescCreate) create_operation;
  decltype(&cublasLtMatmulDescDestroy) destroy_operation;
  decltype(&cublasLtMatmulDescSetAttribute) set_operation;
  decltype(&cublasLtMatrixLayoutCreate) create_layout;
  decltype(&cublasLtMatrixLayoutDestroy) destroy_layout;
  decltype(&cublasLtMatmulPreferenceCreate) create_preference;
  decltype(&cublasLtMatmulPreferenceDestroy) destroy_preference;
  decltype(&cublasLtMatmulPreferenceSetAttribute) set_preference;
};

std::optional<Library> open_library() {
  const std::string name = "libcublasLt.so." + std::to_string(CUBLAS_VER_MAJOR);
  void* const handle = dlopen(name.c_str(), RTLD_LAZY | RTLD_NOLOAD);
  if (handle == nullptr) return std::nullopt;
  bool whole = true;
  const auto find = [&]<typename Function>(Function& function, const char* symbol) {
    function = reinterpret_cast<Function>(dlsym(handle, symbol));
    whole = whole && function != nullptr;
  };
  Library library = {};
  find(library.matmul, "cublasLtMatmul");
  find(library.heuristic, "cublasLtMatmulAlgoGetHeuristic");
  find(library.create_operation, "cublasLtMatmulDescCreate");
  find(library.destroy_operation, "cublasLtMatmulDescDestroy");
  find(library.set_operation, "cublasLtMatmulDescSetAttribute");
  find(library.create_layout, "cublasLtMatrixLayoutCreate");
  find(library.destroy_layout, "cublasLtMatrixLayoutDestroy");
  find(library.create_preference, "cublasLtMatmulPreferenceCreate");
  find(library.destroy_preference, "cublasLtMatmulPreferenceDestroy");
  find(library.set_preference, "cublasLtMatmulPreferenceSetAttribute");
  if (!whole) return std::nullopt;
  return library;
}

const std::optional<Library>& library() {
  static const std::optional<Library> opened = open_library();
  return opened;
}

void check(cublasStatus_t status, std::string_view what) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  fail<DeviceError>("cuBLASLt: ", what, ": got status ", static_cast<int>(status));
}

// A product as cuBLASLt sees it, columns first: [out, R] = [in, out]^T [in, R].
struct Product {
  const at::Tensor& x;
  const at::Tensor& weight;
  const at::Tensor& bias;
  const at::Tensor& out;
  cublasLtEpilogue_t epilogue;
  bool adds;  // to what `out` holds
};

template <typename Handle>
using Owned = std::unique_ptr<std::remove_pointer_t<Handle>, cublasStatus_t (*)(Handle)>;

cudaDataType_t type_of(const at::Tensor& x) {
  return x.scalar_type() == at::kHalf ? CUDA_R_16F : CUDA_R_16BF;
}

Owned<cublasLtMatrixLayout_t> layout_of(const at::Tensor& x) {
  cublasLtMatrixLayout_t layout = nullptr;
  check(library()->create_layout(&layout, type_of(x), static_cast<uint64_t>(x.size(1)),
                                 static_cast<uint64_t>(x.size(0)), x.stride(0)),
        "matrix layout");
  return {layout, library()->destroy_layout};
}

Owned<cublasLtMatmulDesc_t> operation_of(const Product& product) {
  cublasLtMatmulDesc_t operation = nullptr;
  check(library()->create_operation(&operation, CUBLAS_COMPUTE_32F, CUDA_R_32F), "operation");
  Owned<cublasLtMatmulDesc_t> owned(operation, library()->destroy_operation);
  const auto set = [&](cublasLtMatmulDescAttributes_t attribute, const auto& value) {
    check(library()->set_operation(operation, attribute, &value, sizeof(value)), "attribute");
  };
  const cublasOperation_t transposed = CUBLAS_OP_T;
  const void* bias = product.bias.const_data_ptr();
  set(CUBLASLT_MATMUL_DESC_TRANSA, transposed);
  set(CUBLASLT_MATMUL_DESC_EPILOGUE, product.epilogue);
  set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
  return owned;
}

uint32_t alignment_of(const at::Tensor& x) {
  constexpr uintptr_t kMost = 256;
  const auto address = reinterpret_cast<uintptr_t>(x.const_data_ptr());
  return static_cast<uint32_t>(std::min(kMost, address & (~address + 1)));
}

Owned<cublasLtMatmulPreference_t> preference_of(const Product& product) {
  cublasLtMatmulPreference_t preference = nullptr;
  check(library()->create_preference(&preference), "preference");
  Owned<cublasLtMatmulPreference_t> owned(preference, library()->destroy_preference);
  const auto set = [&](cublasLtMatmulPreferenceAttributes_t attribute, const auto& value) {
    check(library()->set_preference(preference, attribute, &value, sizeof(value)), "preference");
  };
  const uint64_t workspace = at::cuda::getCUDABlasLtWorkspaceSize();
  // partial sums stay in fp32
  const uint32_t reductions = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
  set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, workspace);
  set(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, reductions);
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignment_of(product.weight));
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignment_of(product.x));
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, alignment_of(product.out));
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, alignment_of(product.out));
  return owned;
}

// Everything that the choice of an algorithm depends on.
using Key = std::array<int64_t, 12>;

Key key_of(const Product& product) {
  return {product.x.device().index(),
          static_cast<int64_t>(product.x.scalar_type()),
          product.x.size(0),
          product.x.size(1),
          product.out.size(1),
          product.x.stride(0),
          product.out.stride(0),
          product.epilogue,
          product.adds ? 1 : 0,
          alignment_of(product.x),
          alignment_of(product.weight),
          alignment_of(product.out)};
}

// Asking takes longer than a small product, so answers are kept.
class Algorithms {
 public:
  // None if cuBLASLt knows none.
  template <typename Ask>
  std::optional<cublasLtMatmulAlgo_t> get(const Key& key, const Ask& ask) {
    const std::lock_guard lock(mutex_);
    const auto [entry, is_new] = known_.try_emplace(key);
    if (is_new) entry->second = ask();
    return entry->second;
  }

 private:
  std::mutex mutex_;
  std::map<Key, std::optional<cublasLtMatmulAlgo_t>> known_;
};

bool run(const Product& product) {
  RECORD_FUNCTION("reel::product", std::vector<c10::IValue>());  // profilers see it as an operator
  static Algorithms algorithms;
  const c10::cuda::CUDAGuard on_device(product.x.device());
  cublasLtHandle_t const handle = at::cuda::getCurrentCUDABlasLtHandle();
  const auto operation = operation_of(product);
  const auto weight = layout_of(product.weight);
  const auto x = layout_of(product.x);
  const auto out = layout_of(product.out);
  const auto algorithm = algorithms.get(key_of(product), [&] {
    const auto preference = preference_of(product);
    cublasLtMatmulHeuristicResult_t found = {};
    int count = 0;
    const auto status =
        library()->heuristic(handle, operation.get(), weight.get(), x.get(), out.get(), out.get(),
                             preference.get(), 1, &found, &count);
    return status == CUBLAS_STATUS_SUCCESS && count > 0 ? std::optional(found.algo) : std::nullopt;
  });
  if (!algorithm) return false;
  const float one = 1.0F;
  const float kept = product.adds ? 1.0F : 0.0F;
  void* const result = product.out.data_ptr();
  check(library()->matmul(
            handle, operation.get(), &one, product.weight.const_data_ptr(), weight.get(),
            product.x.const_data_ptr(), x.get(), &kept, result, out.get(), result, out.get(),
            &*algorithm, at::cuda::getCUDABlasLtWorkspace(), at::cuda::getCUDABlasLtWorkspaceSize(),
            c10::cuda::getCurrentCUDAStream(product.x.device().index()).stream()),
        "product");
  return true;
}

}  // namespace

bool fits_product(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                  const at::Tensor& out) {
  return fits_gelu(x, bias) && fits_gelu(weight, bias) && fits_gelu(out, bias) && x.size(0) > 0 &&
         library().has_value();
}

bool product_gelu(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                  const at::Tensor& out) {
  return run({x, weight, bias, out, CUBLASLT_EPILOGUE_GELU_BIAS, /*adds=*/false});
}

bool add_product_(const at::Tensor& out, const at::Tensor& x, const at::Tensor& weight,
                  const at::Tensor& bias) {
  return run({x, weight, bias, out, CUBLASLT_EPILOGUE_BIAS, /*adds=*/true});
}

}  // namespace reel::dit::gpu
