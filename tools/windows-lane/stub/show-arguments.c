/* Prints the command line that it was started with, as UTF-8, and nothing else. */
#include <windows.h>

int wmain(void) {
  static char text[65536 * 3];
  int length = WideCharToMultiByte(CP_UTF8, 0, GetCommandLineW(), -1, text, sizeof text, NULL, NULL);
  DWORD written;
  if (length < 1) return 1;
  return WriteFile(GetStdHandle(STD_OUTPUT_HANDLE), text, (DWORD)length - 1, &written, NULL) ? 0 : 1;
}
