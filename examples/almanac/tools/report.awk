END {
  split("January February March April May June July August September October November December", names, " ")
  printf "Almanac for %s, %d crops\n", year, crops
  for (month = 1; month <= 12; month++) {
    line = ""
    for (i = 1; i <= crops; i++) if (sows(order[i], month)) line = line (line == "" ? "" : ", ") order[i] " (" days[order[i]] " days)"
    printf "%-10s %s\n", names[month] ":", line == "" ? "nothing; mend the tools" : line
  }
}
