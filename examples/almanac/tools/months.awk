# Whether a month lies in a span that may run over the end of the year.
function sows(crop, month) {
  if (from[crop] <= to[crop]) return month >= from[crop] && month <= to[crop]
  return month >= from[crop] || month <= to[crop]
}
