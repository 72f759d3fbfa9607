#pragma once

#include <string>

namespace lunar {

// Days since the new moon of 2000-01-06, within one lunation of 29.53 days.
double age(int year, int month, int day);

std::string phase(double age);

}  // namespace lunar
