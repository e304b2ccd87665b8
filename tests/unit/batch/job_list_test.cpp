#include "batch/job_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temp_folder.h"

namespace reel::batch {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class JobList : public ::testing::Test {
 protected:
  std::vector<JobLine> read(const std::string& name, std::string_view bytes) {
    return read_job_list(folder_.write(name, bytes), problems_);
  }

  testing::TempFolder folder_;
  Problems problems_;
};

TEST_F(JobList, TakesEveryKeyOfAJsonLine) {
  const auto lines = read(
      "a.jsonl",
      R"({"id": "x", "prompt": "a cat", "prompt_rewritten": "a long cat", "negative_prompt": "dog",)"
      R"( "seed": 18446744073709551615, "samples": 3, "width": 64, "height": 48, "frames": 9,)"
      R"( "steps": 4, "guidance": 6, "cfg_scale": 1.5, "fps": 23.976, "attn": "dense", "tau": 0.9,)"
      R"( "dense_steps": "20%", "schedule": "s.json", "output": "{seed}.mp4", "tags": {"a": [1]}})");
  EXPECT_TRUE(problems_.empty()) << problems_.text("list");
  ASSERT_EQ(lines.size(), 1u);
  const auto& line = lines[0];
  EXPECT_EQ(line.where, "a.jsonl:1");
  EXPECT_EQ(line.id, "x");
  EXPECT_EQ(line.prompt, "a cat");
  EXPECT_EQ(line.prompt_rewritten, "a long cat");
  EXPECT_EQ(line.negative_prompt, "dog");
  EXPECT_EQ(line.seed, 18446744073709551615u);
  EXPECT_EQ(line.samples, 3);
  EXPECT_EQ(line.width, 64);
  EXPECT_EQ(line.height, 48);
  EXPECT_EQ(line.frames, 9);
  EXPECT_EQ(line.steps, 4);
  EXPECT_EQ(line.guidance, 6.0);
  EXPECT_EQ(line.cfg_scale, 1.5);
  EXPECT_EQ(line.frame_rate, "23.976");
  EXPECT_EQ(line.attention_mode, "dense");
  EXPECT_EQ(line.tau, 0.9);
  EXPECT_EQ(line.dense_steps, "20%");
  EXPECT_EQ(line.schedule, folder_ / "s.json");
  EXPECT_EQ(line.output, "{seed}.mp4");
  EXPECT_EQ(line.tags.dump(), R"({"a":[1]})");
}

TEST_F(JobList, NumbersLinesAsEditorsDo) {
  const auto lines = read("a.jsonl",
                          "\xEF\xBB\xBF# a comment\r\n\r\n{\"prompt\": \"a\"}\r\n"
                          "{\"prompt\": \"b\"}");
  EXPECT_TRUE(problems_.empty()) << problems_.text("list");
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].where, "a.jsonl:3");
  EXPECT_EQ(lines[0].id, "0003");
  EXPECT_EQ(lines[1].id, "0004");
}

TEST_F(JobList, TellsAllProblemsOfAllLinesAtOnce) {
  read("a.jsonl",
       "{\"prmopt\": \"a\"}\n"
       "{\"prompt\": \"b\", \"steps\": 2.5, \"seed\": -1}\n"
       "{\"prompt\": \"c\"\n"
       "[1]\n"
       "{\"prompt\": \"d\", \"prompt\": \"e\"}\n"
       "{\"prompt\": \"f\", \"seeds\": [1, 1], \"samples\": 2}\n"
       "{\"prompt\": \"\xFF\"}\n");
  EXPECT_THAT(
      problems_.lines(),
      ElementsAre("a.jsonl:1: prmopt: unknown key; did you mean prompt?",
                  "a.jsonl:1: prompt: key is missing",
                  "a.jsonl:2: seed: wrong type: got -1, want a whole number from 0 to "
                  "2^64 - 1",
                  "a.jsonl:2: steps: wrong type: got 2.5, want a whole number",
                  HasSubstr("a.jsonl:3: not valid JSON"),
                  "a.jsonl:4: not a JSON object: want {\"prompt\": ...}",
                  HasSubstr("a.jsonl:5: a key appears twice in the JSON: prompt"),
                  "a.jsonl:6: seeds: cannot go with samples", "a.jsonl:6: seeds: got 1 twice",
                  "a.jsonl:7: not UTF-8 at byte 13 of the line"));
}

TEST_F(JobList, ReadsAPromptALineOfPlainText) {
  const auto lines = read("a.txt", "a \"cat\", {really}\n\n# no prompt\n$HOME `ls`\n");
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].prompt, "a \"cat\", {really}");
  EXPECT_EQ(lines[1].prompt, "$HOME `ls`");
  EXPECT_EQ(lines[1].id, "0004");
}

TEST_F(JobList, ReadsCsvWithItsHeader) {
  const auto lines = read("a.csv",
                          "prompt,steps,seeds,tags,fps,tau\r\n"
                          "\"a, \"\"b\"\"\nc\",4,1 2 3,\"{\"\"k\"\": 1}\",24000/1001,\r\n"
                          "\r\n"
                          "plain,,,,24,0.5\r\n");
  EXPECT_TRUE(problems_.empty()) << problems_.text("list");
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].prompt, "a, \"b\"\nc");
  EXPECT_EQ(lines[0].steps, 4);
  EXPECT_THAT(lines[0].seeds, ElementsAre(1, 2, 3));
  EXPECT_EQ(lines[0].tags["k"], 1);
  EXPECT_EQ(lines[0].frame_rate, "24000/1001");
  EXPECT_EQ(lines[0].tau, std::nullopt);
  EXPECT_EQ(lines[1].where, "a.csv:5");
  EXPECT_EQ(lines[1].steps, std::nullopt);
  EXPECT_EQ(lines[1].tau, 0.5);
}

TEST_F(JobList, RefusesCsvThatDoesNotFitItsHeader) {
  read("a.csv", "prompt,stpes\na,1\nb\n");
  EXPECT_THAT(problems_.lines(), ElementsAre("a.csv:1: stpes: unknown column; did you mean steps?",
                                             "a.csv:3: wrong number of cells: got 1, want 2"));
  Problems values;
  read_job_list(folder_.write("b.csv", "prompt,steps\na,four\n"), values);
  EXPECT_THAT(values.lines(),
              ElementsAre("b.csv:2: steps: wrong type: got \"four\", want a whole number"));
  Problems quotes;
  read_job_list(folder_.write("c.csv", "prompt\n\"a\n"), quotes);
  EXPECT_THAT(quotes.lines(), ElementsAre("c.csv:2: a quote is opened and never closed"));
}

TEST_F(JobList, RefusesFilesThatHoldNoJobs) {
  read("empty.txt", "\n# nothing\n");
  read_job_list(folder_ / "absent.jsonl", problems_);
  read("a.yaml", "prompt: x\n");
  EXPECT_THAT(problems_.lines(), ElementsAre(HasSubstr("empty.txt: holds no job"),
                                             HasSubstr("absent.jsonl: cannot be read"),
                                             HasSubstr("a.yaml: unknown kind of job file")));
}

TEST_F(JobList, RefusesTagsThatAreNestedWithoutEnd) {
  std::string deep(300'000, '[');
  deep.append(300'000, ']');
  read("a.csv", "prompt,tags\na,\"{\"\"k\"\": " + deep + "}\"\n");
  EXPECT_THAT(problems_.lines(), ElementsAre(HasSubstr("a.csv:2: tags: wrong type: got ")));
}

}  // namespace
}  // namespace reel::batch
