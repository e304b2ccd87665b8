#include "benchmarks/attention_cases.h"

#include "core/error.h"

namespace reel::benchmarks {

std::vector<AttentionCase> issue_cases() {
  const AttentionCase full = {.group = "full",
                              .mixture = true,
                              .scoring = {"bf16", "e4m3", "e4m3_apart"},
                              .taus = {0.9, 0.95},
                              .densities = {0.1, 0.344, 0.455},
                              .unragged = true,
                              .recall_samples = 4};
  const AttentionCase narrow = {.group = "head_dim_64",
                                .head_dim = 64,
                                .variants = {"lazy", "overlap"},
                                .densities = {0.344}};
  const AttentionCase causal = {.group = "causal",
                                .length = 131'072,
                                .text_length = 0,
                                .causal = true,
                                .mixture = true,
                                .scoring = {"bf16", "e4m3_apart"},
                                .strides = {16},
                                .taus = {0.9},
                                .repeats = 3,
                                .recall_samples = 2};
  AttentionCase long_causal = causal;
  long_causal.length = 262'144;
  long_causal.num_heads = 8;
  return {full, narrow, causal, long_causal};
}

std::vector<AttentionCase> sweep_cases() {
  const std::vector<int64_t> lengths = {65'536, 16'384,  118'800 + 256, 32'768,
                                        8'192,  131'072, 262'144};
  const std::vector<double> densities = {0.05, 0.1, 0.2, 0.344, 0.455, 0.7, 1.0};
  std::vector<AttentionCase> cases;
  const auto add = [&](bool causal, bool mixture) {
    for (const int64_t length : lengths) {
      AttentionCase test = {.group = "sweep",
                            .length = length,
                            .text_length = causal ? 0 : 256,
                            .num_heads = length > 118'800 + 256 ? 8 : 24,
                            .causal = causal,
                            .mixture = mixture,
                            .densities = densities,
                            .repeats = 3};
      if (mixture) {
        test.strides = {8, 4, 16};
        test.scoring = {"bf16", "e4m3_apart"};
        test.taus = {0.9};
        test.recall_samples = 1;
      }
      cases.push_back(test);
    }
  };
  add(/*causal=*/false, /*mixture=*/true);
  add(/*causal=*/true, /*mixture=*/true);
  add(/*causal=*/false, /*mixture=*/false);
  add(/*causal=*/true, /*mixture=*/false);
  return cases;
}

std::vector<AttentionCase> preset_cases(const std::string& name) {
  if (name == "issue") return issue_cases();
  if (name == "sweep") return sweep_cases();
  fail<ConfigError>("--preset: got ", name, ", want issue or sweep");
}

}  // namespace reel::benchmarks
