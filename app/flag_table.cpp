#include "app/flag_table.h"

namespace reel::app {
namespace {

constexpr unsigned kJobLists = kBatch | kVbenchRun | kSweep;
constexpr unsigned kFiles = kGenerate | kJobLists;  // whose files the user names
constexpr unsigned kComparisons = kCompare | kCalibrate;
constexpr unsigned kRender = kFiles | kComparisons;
constexpr unsigned kVbenchOther = kVbenchPrepare | kVbenchCheck | kVbenchEvaluate | kVbenchScore;
constexpr unsigned kBoth = kRender | kProbe;
constexpr unsigned kModels = kBoth | kDecode | kReplay;  // that load a model
constexpr unsigned kAll = kModels | kCompletions | kDoctor | kInspect | kMetrics | kVbenchOther;
constexpr bool kLater = true;

constexpr std::string_view kPrompts = "Prompt";
constexpr std::string_view kSizes = "Size";
constexpr std::string_view kSampling = "Sampling";
constexpr std::string_view kModel = "Model";
constexpr std::string_view kAttention = "Attention";
constexpr std::string_view kSelection = "Selection of blocks";
constexpr std::string_view kVae = "VAE";
constexpr std::string_view kEncoder = "Encoder";
constexpr std::string_view kOutput = "Output";
constexpr std::string_view kJobs = "Jobs";
constexpr std::string_view kVbench = "VBench";
constexpr std::string_view kTensors = "Tensors";
constexpr std::string_view kDevice = "Device";
constexpr std::string_view kMessages = "Messages";

}  // namespace

std::vector<std::string> Flag::all_names() const {
  std::vector<std::string> names;
  std::string_view rest = spellings;
  while (!rest.empty()) {
    const size_t comma = rest.find(',');
    names.emplace_back(rest.substr(0, comma));
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
  }
  return names;
}

std::string Flag::name() const {
  for (const auto& name : all_names()) {
    if (name.starts_with("--")) return name;
  }
  return all_names().front();
}

// clang-format off
const std::vector<Flag>& flag_table() {
  using enum Values;
  static const std::vector<Flag> kFlags = {
    {kPrompts, kGenerate | kComparisons, "-p,--prompt", kOne, "TEXT", "", "what to show; any UTF-8 of any length"},
    {kPrompts, kGenerate, "--prompt-file", kOne, "FILE", "", "the same from a file: all of it but the newline at its end"},
    {kPrompts, kComparisons, "--prompts", kOne, "FILE", "", "several, as batch reads them: a prompt a line"},
    {kPrompts, kRender, "--config", kOne, "FILE", "", "JSON file of flags; the command line goes first, then --set, then this"},
    {kPrompts, kRender, "--set", kMany, "KEY=VALUE", "", "one flag by its key in such a file, attention.tau=0.9; may come again"},
    {kPrompts, kRender, "-n,--negative-prompt,--neg-prompt", kOne, "TEXT", "empty", "what to avoid; needs --cfg-scale above 1"},
    {kPrompts, kRender, "--template", kOne, "auto|video|image", "auto", "text around the prompt; auto: image for 1 frame, else video"},

    {kSizes, kRender, "-W,--width", kOne, "PIXELS", "1280", "a multiple of 16"},
    {kSizes, kRender, "-H,--height", kOne, "PIXELS", "720", "a multiple of 16"},
    {kSizes, kRender, "--video-size", kTwo, "H W", "", "both at once, the height first"},
    {kSizes, kRender, "--frames,--num-frames,--video-frames,--video-length", kOne, "N", "129", "4k + 1"},
    {kSizes, kRender | kDecode, "--fps", kOne, "RATE", "24 (decode: as the run that made them)", "frames a second: 24, 23.976 or 24000/1001"},

    {kSampling, kBoth, "--steps,--infer-steps,--num-inference-steps", kOne, "N", "50", "denoising steps"},
    {kSampling, kRender, "-s,--seed", kOne, "N|random", "42", "of the noise; a random one is recorded"},
    {kSampling, kFiles, "--samples,--num-videos", kOne, "N", "1", "clips with seeds s, s+1, ..."},
    {kSampling, kBoth, "--guidance,--embedded-cfg-scale,--guidance-scale", kOne, "G", "6", "embedded guidance scale"},
    {kSampling, kRender, "--cfg-scale", kOne, "G", "1", "classifier-free guidance; 1: off, else two passes a step"},
    {kSampling, kBoth, "--flow-shift", kOne, "S", "7", "shift of the sigma schedule"},
    {kSampling, kGenerate | kReplay, "--latents", kOne, "FILE", "", "start from its tensor 'noise' [1, C, T, h, w] instead of a seed"},

    {kModel, kModels | kDoctor, "--model,--model-base", kOne, "DIR", "", "checkpoint folder, official or diffusers layout"},
    {kModel, kModels | kDoctor, "--dit,--dit-weight", kOne, "PATH", "", "transformer from elsewhere"},
    {kModel, kModels | kDoctor, "--vae", kOne, "PATH", "", "VAE from elsewhere"},
    {kModel, kModels | kDoctor, "--text-encoder", kOne, "PATH", "", "Llama from elsewhere"},
    {kModel, kModels | kDoctor, "--clip", kOne, "PATH", "", "CLIP from elsewhere"},

    {kAttention, kBoth, "--attn", kOne, "dense|xattn|reference", "xattn (probe: dense)", "attention of the sparse steps; flash means dense"},
    {kAttention, kCompare, "--with", kOne, "LIST", "tau=0.9; tau=0.95", "settings to compare with dense: attn, tau, stride, block, dense-steps, select, rule, head-tau"},
    {kAttention, kCalibrate, "--budget", kOne, "DENSITY", "", "share of the blocks that the table may take; what --tau takes unless given"},
    {kAttention, kCalibrate, "--levels", kOne, "LIST", "0.3 to 1", "thresholds to choose from, such as 0.5,0.7,0.9"},
    {kAttention, kCalibrate, "--no-check", kNone, "", "", "write the table, render no clip with it"},
    {kAttention, kBoth, "--tau,--threshold", kOne, "T", "0.95", "share of the scored mass to keep, in (0, 1]; higher is denser"},
    {kAttention, kBoth, "--stride", kOne, "4|8|16", "8", "tokens a strided row when scoring"},
    {kAttention, kBoth, "--block", kOne, "64|128", "128", "tokens a block"},
    {kAttention, kBoth, "--dense-steps,--attn-warmup-steps,--dense_timesteps", kOne, "N|N%", "5 (probe: 0)", "first steps that stay dense"},
    {kAttention, kBoth, "--dense-tail", kOne, "N", "0", "last steps that stay dense"},
    {kAttention, kBoth, "--dense-layers", kOne, "LIST", "", "layers that stay dense, such as 0-2,57"},
    {kAttention, kBoth, "--dense-sigma", kOne, "SIGMA", "", "steps that start at this noise level or above stay dense"},
    {kAttention, kBoth, "--schedule", kOne, "FILE", "", "JSON rules by step, layer and head"},
    {kAttention, kBoth, "--head-tau", kOne, "FILE", "", "JSON table of tau by layer and head"},
    {kAttention, kRender, "--ulysses,--ulysses-degree", kOne, "N", "1", "GPUs that share the heads; only 1 in this version"},
    {kAttention, kRender, "--ring,--ring-degree", kOne, "N", "1", "GPUs that share the tokens; only 1 in this version"},
    {kSelection, kBoth, "--protect", kOne, "LIST", "text,self", "blocks that are always attended: text, self, sink=N"},
    {kSelection, kBoth, "--select", kOne, "PATTERN", "antidiagonal", "how blocks are scored: antidiagonal, or diagonal, random[=SEED], mean-pool to compare with; PATTERN:e4m3 scores in 8 bits"},
    {kSelection, kBoth, "--rule", kOne, "RULE", "tau", "how many a row takes: tau, or top-k=N, top-ratio=R to compare with"},
    {kSelection, kProbe, "--text-length", kOne, "N", "0", "xattn: how many of the last tokens are text"},
    {kSelection, kProbe, "--causal", kNone, "", "", "xattn: a query sees itself and earlier tokens only"},

    {kVae, kBoth | kDecode, "--vae-tiling", kOne, "auto|on|off", "auto", "auto: the official tiles above 16 latent frames or 32 rows or columns; smaller ones only where they do not fit"},
    {kVae, kBoth | kDecode, "--vae-tile", kOne, "TILE", "official", "official, diffusers or SIZE:STRIDE:FRAMES:FRAME_STRIDE; turns tiling on"},

    {kEncoder, kRender | kDecode, "--codec", kOne, "h264|h265", "h264", ""},
    {kEncoder, kRender | kDecode, "--crf", kOne, "Q", "17", "0 (best) to 51"},
    {kEncoder, kRender | kDecode, "--preset", kOne, "NAME", "slow", "ultrafast to placebo"},
    {kEncoder, kRender | kDecode, "--pix-fmt", kOne, "NAME", "yuv420p", "yuv420p, yuv444p, or rgb24 with --lossless"},
    {kEncoder, kRender | kDecode, "--lossless", kNone, "", "", "crf 0 in yuv444p; exact RGB with --pix-fmt rgb24"},

    {kOutput, kFiles, "-o,--output", kOne, "FILE", "{id}_s{seed}.mp4", "MP4 file; fields {id} {prompt} {seed} {index} {attn} {tau} {date} {hash}"},
    {kOutput, kDecode | kReplay, "-o,--output", kOne, "FILE", "", "MP4 file; NAME.mp4 or NAME.replay.mp4 here unless given"},
    {kOutput, kRender, "--output-dir,--save-path", kOne, "DIR", "out", "folder of the output; also writes DIR/meta/NAME.json"},
    {kOutput, kComparisons, "--no-report", kNone, "", "", "write no report.html"},
    {kOutput, kComparisons, "--mask-heads", kOne, "LIST", "auto", "heads whose blocks the report shows: LAYER:HEAD, ..., auto (four) or none"},
    {kOutput, kModels, "--overwrite", kNone, "", "", "replace files that are there already"},
    {kOutput, kGenerate | kDecode, "--frames-png", kOne, "DIR", "", "also write every frame as DIR/000000.png, ..."},
    {kOutput, kFiles | kReplay, "--save-latents", kOptional, "[FILE]", "", "also write the final latents; beside the video unless named"},
    {kOutput, kGenerate, "--density-json", kOne, "FILE", "", "write the density of every step, layer and head"},
    {kOutput, kGenerate, "--perf-json", kOne, "FILE", "", "write the time of every stage and step"},
    {kOutput, kGenerate, "--probe-recall", kOne, "FILE", "", "measure and write how much of the true attention was kept, by step, layer and head"},
    {kOutput, kComparisons | kSweep | kMetrics, "--lpips", kOne, "FILE", "", "also measure LPIPS, with weights that tools/export_lpips.py made"},
    {kOutput, kRender | kDecode | kReplay, "--dry-run", kNone, "", "", "print what would run, and stop"},
    {kOutput, kGenerate, "--resume", kNone, "", "", "go on from the state or the latents that a run with the same flags left; skip videos that it finished"},
    {kOutput, kFiles, "--checkpoint-every", kOne, "N", "off", "keep a state every N steps, so that even a killed run can be resumed"},

    {kJobs, kSweep, "--grid", kOne, "LIST", "tau=0.8,0.9,0.95", "settings to combine: \"tau=0.8,0.9; stride=4,8\"; also block, dense-steps, select, rule"},
    {kJobs, kSweep, "--probe-recall", kNone, "", "", "also measure how much of the true attention each setting keeps"},
    {kJobs, kJobLists, "--resume", kNone, "", "yes", "skip videos that are complete and made with the same settings"},
    {kJobs, kJobLists, "--shard", kOne, "i/n", "1/1", "only jobs i, i+n, i+2n, ... of the list"},
    {kJobs, kJobLists, "--keep-going", kNone, "", "", "go on after a job that failed; exit code 5 at the end"},
    {kJobs, kJobLists, "--measured", kOne, "FILE", "", "--dry-run: estimate the time from this video or sidecar of a clip of like size"},
    {kJobs, kJobLists, "--max-failures", kOne, "N", "", "go on, but stop at the Nth failure"},

    {kVbench, kVbenchPrepare | kVbenchCheck | kVbenchEvaluate, "--info", kOne, "FILE", "", "VBench_full_info.json; prepare: default that of an installed vbench package"},
    {kVbench, kVbenchPrepare | kVbenchEvaluate, "--dimension", kOne, "LIST", "all", "dimensions, separated by commas"},
    {kVbench, kVbenchPrepare, "--every", kOne, "K", "1", "every Kth prompt only, from the first on"},
    {kVbench, kVbenchPrepare | kVbenchCheck, "--samples", kOne, "N", "5", "videos a prompt"},
    {kVbench, kVbenchPrepare, "--flicker-samples", kOne, "N", "25 if named by --dimension", "videos a prompt of temporal_flickering, for VBench's static filter"},
    {kVbench, kVbenchPrepare, "--long", kOne, "FILE", "", "line k is the text to encode for entry k; names keep the short prompt"},
    {kVbench, kVbenchPrepare, "-s,--seed", kOne, "N", "42", "of a prompt's video 0; video i has seed N + i"},
    {kVbench, kVbenchPrepare, "-o,--output", kOne, "FILE", "", "job list to write, FILE.jsonl"},
    {kVbench, kVbenchEvaluate, "--results", kOne, "DIR", "DIR/vbench", "folder of results, one a dimension; what is there is not evaluated again"},
    {kVbench, kVbenchEvaluate, "--vbench", kOne, "PROGRAM", "vbench", "VBench's program, or its evaluate.py"},
    {kVbench, kVbenchEvaluate, "--ngpus", kOne, "N", "", "passed on; the same for all systems that are compared"},
    {kVbench, kVbenchEvaluate, "--partial", kNone, "", "", "evaluate although videos are missing"},
    {kVbench, kVbenchScore, "--markdown", kOne, "FILE", "", "write the table as Markdown too"},
    {kVbench, kVbenchScore, "--html", kOne, "FILE", "", "write the table as a page"},
    {kVbench, kVbenchPrepare | kVbenchScore, "--overwrite", kNone, "", "", "replace files that are there already"},

    {kTensors, kProbe, "--in", kOne, "FILE", "", "safetensors, or a text file of prompts (tokenize, encode)"},
    {kTensors, kProbe, "--out", kOne, "FILE", "", "safetensors to write"},

    {kDevice, kModels, "--device", kOne, "auto|cpu|cuda[:N]", "auto", "auto: the first GPU, else the CPU"},
    {kDevice, kModels, "--dtype", kOne, "fp32|bf16|fp16", "fp32 on a CPU, bf16 on a GPU", "number format of the models"},
    {kDevice, kModels, "--threads", kOne, "N", "all usable cores", "CPU threads"},
    {kDevice, kRender | kReplay, "--offload", kOne, "auto|none|models|blocks", "auto", "what waits in host memory: models outside their stage, or the transformer's blocks; auto: as little as fits"},
    {kDevice, kRender | kReplay, "--use-cpu-offload", kNone, "", "", "as --offload blocks"},
    {kDevice, kRender | kReplay, "--max-vram", kOne, "GB", "", "most that a run may take of the GPU, in 1e9 bytes"},

    {kMessages, kInspect | kMetrics | kCompare | kDoctor | kVbenchCheck | kVbenchScore, "--json", kNone, "", "", "print JSON"},
    {kMessages, kModels, "--progress", kOne, "auto|bar|plain|json|none", "auto", "auto: a bar on a terminal, else plain lines; json: events on stdout"},
    {kMessages, kAll, "-v,--verbose", kNone, "", "", "say more"},
    {kMessages, kAll, "-q,--quiet", kNone, "", "", "errors only"},
    {kMessages, kModels, "--log-file", kOne, "FILE", "", "append all messages to a file"},
    {kMessages, kAll, "-h,--help", kNone, "", "", "print this"},

    {"", kRender, "--density-maps", kOne, "", "", "", kLater},
  };
  return kFlags;
}

const std::vector<CommandInfo>& command_table() {
  static const std::vector<CommandInfo> kCommands = {
    {"generate", "-p TEXT --model DIR [-o FILE]", "Render a prompt to an MP4.",
     "sparsereel generate --model ckpts -p \"A cat walks on the grass\" -W 960 -H 544 -o cat.mp4", kGenerate},
    {"batch", "FILE --model DIR [--output-dir DIR]",
     "Render a list of jobs (JSON lines, CSV, or a prompt a line); run it again to go on where it stopped.",
     "sparsereel batch jobs.jsonl --model ckpts --output-dir runs/cats --shard 1/4", kBatch},
    {"sweep", "FILE --model DIR --grid LIST --output-dir DIR",
     "Render prompts dense and in every setting of a grid; show quality against density and speed.\nRun it again to go on where it stopped.",
     "sparsereel sweep prompts.txt --model ckpts --grid \"tau=0.8,0.9; stride=8,16\" --output-dir runs/sweep", kSweep},
    {"vbench prepare", "-o JOBS.jsonl [--info FILE]",
     "Make the job list of a VBench run: names, samples and seeds of its protocol.",
     "sparsereel vbench prepare --info VBench_full_info.json --every 10 -o jobs.jsonl", kVbenchPrepare},
    {"vbench run", "JOBS.jsonl --model DIR --output-dir DIR", "Render that list; resumable and sharded as batch is.",
     "sparsereel vbench run jobs.jsonl --model ckpts --output-dir runs/dense --attn dense --shard 1/8", kVbenchRun},
    {"vbench check", "DIR", "Look for missing, broken, wrong and stray videos; exit code 5 unless the set is complete.",
     "sparsereel vbench check runs/dense", kVbenchCheck},
    {"vbench evaluate", "DIR", "Run an installed VBench, one dimension after the other; run it again to go on.",
     "sparsereel vbench evaluate runs/dense --info VBench_full_info.json", kVbenchEvaluate},
    {"vbench score", "[NAME=]RESULTS ...", "Quality, semantic and total score; several systems side by side.",
     "sparsereel vbench score dense=runs/dense/vbench sparse=runs/sparse/vbench --html scores.html", kVbenchScore},
    {"probe", "STAGE --model DIR --in IN --out OUT",
     "Run one stage alone, tensors in, tensors out.\nStages: tokenize, encode, llama, clip, "
     "schedule, dit, vae-decode, vae-encode, xattn, denoise.",
     "sparsereel probe dit --model ckpts --in inputs.safetensors --out velocity.safetensors", kProbe},
    {"inspect", "PATH", "Show weights, a checkpoint folder, latents, a video's metadata, a density or a recall file.",
     "sparsereel inspect cat.mp4 --json", kInspect},
    {"metrics", "REFERENCE VIDEOS", "Compare finished videos with their references: PSNR, SSIM, LPIPS.\nTwo files, or two folders whose videos pair by name.",
     "sparsereel metrics runs/dense/videos runs/sparse/videos", kMetrics},
    {"compare", "-p TEXT|--prompts FILE --model DIR [--with LIST]",
     "Render prompts dense and with other attention from the same noise, and compare: density, PSNR, SSIM, time.",
     "sparsereel compare --prompts prompts/demo.txt --model models/demo --with \"tau=0.9; tau=0.95, stride=16\"", kCompare},
    {"calibrate", "-p TEXT|--prompts FILE --model DIR [--budget DENSITY]",
     "Choose a threshold for every head from dense clips; write it for --head-tau, show what it changes.",
     "sparsereel calibrate --prompts prompts/demo.txt --model models/demo --tau 0.9 --output-dir runs/calibration", kCalibrate},
    {"decode", "FILE.latents.safetensors --model DIR [-o FILE]", "Make the video of latents that a run kept.",
     "sparsereel decode cat.latents.safetensors --model ckpts -o cat.mp4", kDecode},
    {"replay", "FILE.mp4 [--model DIR] [-o FILE]",
     "Render the frames of a video again, from its metadata alone, and say whether they are the same.",
     "sparsereel replay cat.mp4 --model ckpts -o again.mp4", kReplay},
    {"doctor", "[--model DIR] [--json]",
     "Show what this machine and a model folder offer, what is wrong with them, and what to do.",
     "sparsereel doctor --model ckpts", kDoctor},
    {"completions", "bash|zsh|fish", "Print what a shell needs to complete commands, flags and values.",
     "sparsereel completions bash > ~/.local/share/bash-completion/completions/sparsereel", kCompletions},
  };
  return kCommands;
}
// clang-format on

std::vector<Flag> flags_of(Command command) {
  std::vector<Flag> flags;
  for (const auto& flag : flag_table()) {
    if ((flag.commands & command) != 0) flags.push_back(flag);
  }
  return flags;
}

}  // namespace reel::app
