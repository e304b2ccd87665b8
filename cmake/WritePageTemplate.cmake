# Writes OUTPUT, which defines report/page_template.h's page_template(): FOLDER/page.html with the
# style sheets and scripts that it names put in their places, so that the page needs no other file.
cmake_minimum_required(VERSION 3.25)

file(READ ${FOLDER}/page.html page)
string(REGEX MATCHALL "<link rel=\"stylesheet\" href=\"[a-z_]+\\.css\">" links "${page}")
string(REGEX MATCHALL "<script src=\"[a-z_]+\\.js\"></script>" scripts "${page}")
foreach(element IN LISTS links scripts)
  string(REGEX MATCH "[a-z_]+\\.(css|js)" name "${element}")
  file(READ ${FOLDER}/${name} text)
  if(name MATCHES "css$")
    string(REPLACE "${element}" "<style>\n${text}</style>" page "${page}")
  else()
    string(REPLACE "${element}" "<script>\n${text}</script>" page "${page}")
  endif()
endforeach()
if(page MATCHES "<script src|<link rel=\"stylesheet\"")
  message(FATAL_ERROR "page.html: names a style or script that was not found")
endif()
file(WRITE ${OUTPUT} "#include \"report/page_template.h\"

const char* reel::report::page_template() {
  return R\"~page~(${page})~page~\";
}
")
