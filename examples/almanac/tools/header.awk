# Reads crops.csv: name, first and last month to sow (1 to 12), days to harvest.
BEGIN { year = ENVIRON["ALMANAC_YEAR"]; if (year == "") { print "ALMANAC_YEAR is not set" > "/dev/stderr"; exit 2 } }
NR > 1 && NF == 4 { crops++; from[$1] = $2 + 0; to[$1] = $3 + 0; days[$1] = $4 + 0; order[crops] = $1 }
NR > 1 && NF != 4 { printf "crops.csv:%d: expected 4 columns, found %d\n", NR, NF > "/dev/stderr"; exit 2 }
