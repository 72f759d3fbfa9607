#include <cstdio>
#include <cstring>

#include "phase.h"

namespace {

int selfTest() {
  const bool isNew = lunar::phase(lunar::age(2000, 1, 6)) == "new";
  const bool isFull = lunar::phase(lunar::age(2000, 1, 21)) == "full";
  std::printf("%s\n", isNew && isFull ? "ok" : "FAILED");
  return isNew && isFull ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) {
  if (count == 2 && std::strcmp(arguments[1], "--self-test") == 0) return selfTest();
  int year = 0;
  int month = 0;
  int day = 0;
  if (count != 2 || std::sscanf(arguments[1], "%d-%d-%d", &year, &month, &day) != 3) {
    std::fprintf(stderr, "usage: moon YEAR-MONTH-DAY | --self-test\n");
    return 2;
  }
  std::printf("%s moon\n", lunar::phase(lunar::age(year, month, day)).c_str());
  return 0;
}
