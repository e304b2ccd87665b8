// Catches the error that an action must throw.
#pragma once

#include <gtest/gtest.h>

#include <string>

namespace reel::testing {

/// The text of the `Kind` that `action` throws; a test failure and "" if it throws something else
/// or nothing.
template <typename Kind, typename Action>
std::string error_of(const Action& action) {
  try {
    action();
  } catch (const Kind& error) {
    return error.what();
  } catch (const std::exception& error) {
    ADD_FAILURE() << "another kind of error: " << error.what();
    return {};
  }
  ADD_FAILURE() << "no error";
  return {};
}

}  // namespace reel::testing
