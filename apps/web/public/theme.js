// Sets the chosen theme before the first paint. A file of its own, because the content security policy forbids inline scripts.
try {
  const theme = localStorage.getItem('loam.theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
} catch {
  // Storage may be forbidden; the system's preference serves.
}
