#include "phase.h"

#include <cmath>

namespace lunar {

namespace {

constexpr double lunation = 29.530588;
constexpr int firstNewMoon = 2451550;

// The day number of a Gregorian date at noon (Fliegel and Van Flandern, 1968).
int julianDay(int year, int month, int day) {
  const int shift = (month - 14) / 12;
  return (1461 * (year + 4800 + shift)) / 4 + (367 * (month - 2 - 12 * shift)) / 12 -
         (3 * ((year + 4900 + shift) / 100)) / 4 + day - 32075;
}

}  // namespace

double age(int year, int month, int day) {
  const double days = std::fmod(julianDay(year, month, day) - firstNewMoon, lunation);
  return days < 0 ? days + lunation : days;
}

std::string phase(double age) {
  const char* const names[] = {"new", "waxing crescent", "first quarter", "waxing gibbous",
                               "full", "waning gibbous", "last quarter", "waning crescent"};
  return names[static_cast<int>(std::floor(age / lunation * 8 + 0.5)) % 8];
}

}  // namespace lunar
