// page.html with its style and scripts inside: the build makes it from the files of this folder
// (WritePageTemplate.cmake).
#pragma once

namespace reel::report {

/// HTML with room for data: "<!-- data -->", "<!-- videos -->".
const char* page_template();

}  // namespace reel::report
